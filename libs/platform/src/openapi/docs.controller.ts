import { Controller, Get, Header, Param, Res } from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import type { Response } from 'express';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Public } from '../access/decorators.js';
import { ApiDocument } from './api-document.js';
import type { Json } from './schema-set.js';

// Everything comes from this process: no script of another host sees the key that somebody types in here.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Tocsin API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true, validatorUrl: null });\n`;

/** What the page loads, by name. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const packageFolder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

/** The API described: for programs and for people. */
@Public()
@Controller()
export class DocsController {
  constructor(private readonly api: ApiDocument) {}

  @Get('openapi.json')
  openapi(): Json {
    return this.api.describe().document;
  }

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', POLICY)
  docs(): string {
    return PAGE;
  }

  @Get('docs/:file')
  async file(@Param('file') file: string, @Res({ passthrough: true }) response: Response): Promise<string> {
    const type = file === 'start.js' ? 'text/javascript; charset=utf-8' : FILES[file];
    if (type === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no ${file} here`);
    response.setHeader('content-type', type).setHeader('cache-control', 'max-age=3600');
    return file === 'start.js' ? START : readFile(join(packageFolder, file), 'utf8');
  }
}
