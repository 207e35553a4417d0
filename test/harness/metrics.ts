import { eventually, FakeNode, Receiver } from '@tocsin/testing';
import { inState, subscribe, watch } from './fleet.js';
import { Installation } from './installation.js';

/** One metric of a scrape. */
export interface MetricFamily {
  name: string;
  type: string;
  help: string;
  /** Names of the labels its samples carry, sorted; without those that belong to its type (`le`). */
  labels: string[];
  /** Values by labels, as the text has them; of a histogram its counts. */
  samples: { labels: Record<string, string>; value: number }[];
}

/** Reads Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). */
export function parseMetrics(text: string): MetricFamily[] {
  const families = new Map<string, MetricFamily>();
  const family = (name: string): MetricFamily => {
    const known = families.get(name);
    if (known !== undefined) return known;
    const made = { name, type: 'untyped', help: '', labels: [], samples: [] };
    families.set(name, made);
    return made;
  };
  for (const line of text.split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') family(name).help = rest;
    else if (keyword === 'TYPE') family(name).type = rest;
    else if (line !== '' && !line.startsWith('#')) sample(line, families);
  }
  return [...families.values()].toSorted((one, other) => one.name.localeCompare(other.name));
}

function sample(line: string, families: ReadonlyMap<string, MetricFamily>): void {
  const [, name = '', inBraces = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ''));
  if (family === undefined) throw new Error(`a sample without TYPE: ${line}`);
  const labels = Object.fromEntries(
    [...inBraces.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [pair[1], pair[2]]),
  );
  delete labels['le'];
  family.labels = [...new Set([...family.labels, ...Object.keys(labels)])].toSorted();
  if (!/_(?:bucket|sum)$/.test(name) || family.type !== 'histogram')
    family.samples.push({ labels, value: Number(value) });
}

/** What a standalone Tocsin shows after an outage: told to one receiver, refused for good by another. */
export async function scrapeAfterOutage(): Promise<MetricFamily[]> {
  const [tocsin, node, receiver, refusing] = await Promise.all([
    Installation.create('standalone'),
    FakeNode.start(),
    Receiver.start(),
    Receiver.start({ answer: { status: 413 } }),
  ]);
  try {
    await tocsin.start();
    await watch(tocsin, 'a', node.url);
    await subscribe(tocsin, 'told', receiver.url);
    await subscribe(tocsin, 'refusing', refusing.url);
    await inState(tocsin, 'a', 'up');
    await node.down();
    await receiver.waitFor(1, 30_000);
    await inState(tocsin, 'a', 'down');
    await node.up();
    await receiver.waitFor(2, 30_000);
    await inState(tocsin, 'a', 'up');
    const scrape = async () => parseMetrics((await tocsin.call('GET', '/metrics')).body as string);
    // A call is counted when it has ended, a delivery when it is written down.
    await eventually(
      async () => {
        const ended = (await scrape()).find(({ name }) => name === 'tocsin_deliveries_total')?.samples ?? [];
        return ended.reduce((sum, { value }) => sum + value, 0) >= 4;
      },
      { what: 'all deliveries have ended', timeoutMs: 20_000 },
    );
    return await scrape();
  } finally {
    await Promise.all([tocsin.destroy(), node.close(), receiver.close(), refusing.close()]);
  }
}
