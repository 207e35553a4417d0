import { ERROR_CATALOGUE, type ErrorCode } from '@tocsin/domain';
import { ERROR_STATUS, problemType } from '@tocsin/platform';

/** Where the reference stands in the repository. */
export const ERROR_DOCS_PATH = 'docs/errors.md';

/** The reference of all error codes, in Markdown. */
export function errorDocs(): string {
  const rows = (Object.keys(ERROR_CATALOGUE) as ErrorCode[]).map((code) => {
    const { title, retryable } = ERROR_CATALOGUE[code];
    const { http, grpc, shown } = ERROR_STATUS[code];
    return `| \`${code}\` | ${title} | ${http} | \`${grpc}\` | ${retryable ? 'yes' : 'no'} | ${shown ? 'yes' : 'log only'} |`;
  });
  return `# Errors

<!-- Written by \`npm run codegen:errors\` from the catalogue; changes here are overwritten. -->

Every error has a code that never changes its meaning. Over HTTP it is a problem document (RFC 9457, \`application/problem+json\`) with
\`type\` (\`${problemType('TCN_INVALID')}\`), \`title\`, \`status\`, \`code\`, \`detail\`, and, where a request is at fault, \`errors\`: each with a JSON pointer
into what was sent. Over gRPC the same code stands in the status details. A command or a service that cannot start prints it in one line.

*Retry*: the same request may succeed later, unchanged. *Detail shown*: where it says *log only*, the caller sees the title alone, because
the detail may name hosts and paths of the installation.

| code | meaning | HTTP | gRPC | retry | detail shown |
|---|---|---|---|---|---|
${rows.join('\n')}
`;
}
