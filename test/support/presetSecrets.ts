/**
 * A secret of each form that the secretlint preset looks for, with the name of its rule. None is real; prefixes stand in two
 * parts, so that no scanner of this repository takes them for a leak.
 */
const letters = (count: number) => 'aB3dE5gH7jK9mN1pQ'.repeat(20).slice(0, count);
const digits = (count: number) => '4815162342'.repeat(10).slice(0, count);
const hex = (count: number) => '0f1e2d3c4b5a6978'.repeat(10).slice(0, count);

export function presetSecrets(): readonly (readonly [rule: string, secret: string])[] {
  const server = 'db.internal.net:5432/app?ssl=true';
  return [
    ['aws', `aws_secret${'_access'}_key = "${letters(40)}"`],
    ['aws', `Secret${'Access'}Key: '${letters(40)}'`],
    [
      'privatekey',
      `-----BEGIN ${'RSA PRIVATE'} KEY-----\nMI${letters(200)}\n-----END RSA PRIVATE KEY-----`,
    ],
    [
      'privatekey',
      `-----BEGIN ${'PRIVATE'} KEY-----\\nMI${letters(120)}\\n-----END PRIVATE KEY-----`,
    ],
    ['npm', `np${'m_'}${letters(36)}`],
    ['basicauth', `https://svc_app:${'S3cur3-'}x9@host.internal.net`],
    ['slack', `xo${'xb'}-${digits(12)}-${digits(12)}-${letters(24)}`],
    ['slack', `xa${'pp'}-1-${letters(11)}-${digits(13)}-${letters(40)}`],
    ['slack', `https://hooks.slack${'.com/serv'}ices/T${letters(8)}/B${letters(8)}/${letters(24)}`],
    ['slack', `HTTPS://Hooks.Slack${'.com/Serv'}ices/t${letters(8)}/b${letters(8)}/${letters(24)}`],
    ['sendgrid', `S${'G'}.${letters(22)}.${letters(43)}`],
    ['shopify', `shp${'at'}_${letters(32)}`],
    ['shopify', `shp${'ss'}_${letters(64)}`],
    ['github', `gh${'p'}_${letters(36)}`],
    ['github', `gh${'r'}_${letters(36)}`],
    ['github', `github${'_pat'}_${letters(82)}`],
    ['github', `gh${'s'}_123_${letters(40)}.${letters(60)}.${letters(43)}`],
    ['gitlab', `glp${'at'}-${letters(20)}`],
    ['grafana', `gl${'c'}_eyJ${letters(80)}==`],
    ['grafana', `gl${'sa'}_${letters(32)}_${hex(8)}`],
    ['openai', `sk-${letters(20)}T3Blbk${'FJ'}${letters(20)}`],
    ['openai', `sk-${'proj'}-${letters(74)}T3Blbk${'FJ'}${letters(74)}`],
    ['openai', `sk-${'admin'}-${letters(58)}T3Blbk${'FJ'}${letters(58)}`],
    ['anthropic', `sk-ant${'-api03'}-${letters(93)}AA`],
    ['groq', `gs${'k_'}${letters(52)}`],
    ['huggingface', `h${'f_'}${'aBcDeFgHiJ'.repeat(4).slice(0, 34)}`],
    ['linear', `lin${'_api'}_${letters(40)}`],
    ['notion', `nt${'n_'}${digits(11)}${letters(35)}`],
    ['stripe', `sk${'_live'}_${letters(24)}`],
    ['stripe', `rk${'_test'}_${letters(99)}`],
    [
      '1password',
      `op${'s_'}${Buffer.from(JSON.stringify({ email: letters(39), secretKey: letters(60), u: {} })).toString('base64')}`,
    ],
    ['database-connection-string', `mongodb+srv://svc_app:${'S3cur3!'}x9@${server}`],
    ['database-connection-string', `MySQL://svc_app:${'S3cur3!'}x9@${server}`],
    ['database-connection-string', `jdbc:mysql://svc_app:${'S3cur3!'}x9@${server}`],
    ['database-connection-string', `postgres://svc_app:${'S3cur3!'}x9@${server}`],
    ['hashicorp-vault', `hv${'s'}.${letters(95)}`],
    ['hashicorp-vault', `hv${'b'}.${letters(140)}`],
    ['hashicorp-vault', `hv${'r'}.${letters(95)}`],
    ['vercel', `vc${'p'}_${letters(24)}`],
    ['vercel', `vc${'k'}_${letters(60)}`],
    ['databricks', `da${'pi'}${hex(32)}-2`],
    ['docker', `dckr${'_pat'}_${letters(27)}`],
    ['figma', `fig${'d_'}${letters(40)}`],
    ['cloudflare', `cf${'k'}_${letters(40)}${hex(8)}`],
    ['cloudflare', `cf${'ut'}_${letters(40)}${hex(8)}`],
    ['tailscale', `ts${'key'}-auth-${letters(12)}-${letters(32)}`],
  ];
}
