import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scrapeAfterOutage } from '../test/harness/metrics.js';
import { METRICS_DOCS_PATH, metricsDocs } from './metrics-docs.js';

writeFileSync(join(import.meta.dirname, '..', METRICS_DOCS_PATH), metricsDocs(await scrapeAfterOutage()));
