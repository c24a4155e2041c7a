/** The first bytes of a GGUF file. A damaged count there makes readers of the format work for hours, so it is looked at first. */

export const GGUF_HEADER_BYTES = 24;

const MAX_TENSORS = 1_000_000n;
const MAX_VALUES = 100_000n;

/** @param header the first `GGUF_HEADER_BYTES` of a file: magic, version, counts of tensors and of values */
export function isSoundGgufHeader(header: Uint8Array): boolean {
  if (header.length < GGUF_HEADER_BYTES) return false;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return (
    view.getUint32(0, false) === 0x4747_5546 &&
    [2, 3].includes(view.getUint32(4, true)) &&
    view.getBigUint64(8, true) <= MAX_TENSORS &&
    view.getBigUint64(16, true) <= MAX_VALUES
  );
}
