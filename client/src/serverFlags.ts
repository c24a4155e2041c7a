/**
 * How Node runs the server: short-lived objects may take 12 MB at most, where it would let them grow to a hundred and more
 * before it looks which are still in use. An editor's server is mostly idle, so that it gains memory and loses no time.
 */
export const SERVER_FLAGS: readonly string[] = ['--max-semi-space-size=4'];
