/** VS Code's network settings as variables of an environment, without VS Code. */

interface NetworkSettings {
  readonly proxy: string;
  readonly noProxy: readonly string[];
  readonly proxySupport: string;
  readonly systemCertificates: boolean;
}

/** Names in lower case win over the others wherever both are set. */
export function environmentOf({
  proxy,
  noProxy,
  proxySupport,
  systemCertificates,
}: NetworkSettings): Record<string, string> {
  const certificates: Record<string, string> = systemCertificates
    ? {}
    : { NODE_USE_SYSTEM_CA: '0' };
  if (proxySupport === 'off') return { ...certificates, no_proxy: '*' };
  return {
    ...certificates,
    ...(proxy === '' ? {} : { https_proxy: proxy, http_proxy: proxy }),
    ...(noProxy.length === 0 ? {} : { no_proxy: noProxy.join(',') }),
  };
}
