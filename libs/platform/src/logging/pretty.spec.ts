import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';
import { prettyLine } from './pretty.js';

const entry = {
  level: 'warn',
  time: '2030-01-02T03:04:05.678Z',
  service: 'delivery',
  module: 'send',
  trace_id: '0af7',
  attempt: 3,
  target: { kind: 'node' },
  msg: 'no answer',
};

describe('prettyLine', () => {
  it('puts time, level, module, message and the other fields on one line', () => {
    expect(prettyLine(JSON.stringify(entry), false)).toBe(
      '03:04:05.678 WARN  send no answer attempt=3 target={"kind":"node"}\n',
    );
  });

  it('names the service where there is no module', () => {
    expect(prettyLine(JSON.stringify({ ...entry, module: undefined }), false)).toContain('WARN  delivery no answer');
  });

  it('puts the stack of an error below, indented', () => {
    const line = prettyLine(JSON.stringify({ ...entry, err: { message: 'x', stack: 'Error: x\nat y' } }), false);
    expect(line).toBe('03:04:05.678 WARN  send no answer attempt=3 target={"kind":"node"}\n    Error: x\n    at y\n');
  });

  it('colours only when asked to', () => {
    expect(prettyLine(JSON.stringify(entry), true)).toContain('\u001B[33mWARN \u001B[0m');
    expect(prettyLine(JSON.stringify(entry), false)).not.toContain('\u001B');
  });

  it('passes on what is no log entry', () => {
    expect(prettyLine('plain text\n', false)).toBe('plain text\n');
  });
});

describe('format pretty', () => {
  it('takes secrets out as well', () => {
    const lines: string[] = [];
    const logger = createLogger({
      name: 'x',
      format: 'pretty',
      destination: { write: (line) => void lines.push(line) },
    });
    logger.info({ token: 'secret1' }, 'to https://h/?secret2');
    expect(lines.join('')).toContain('INFO');
    expect(lines.join('')).not.toMatch(/secret\d/);
  });
});
