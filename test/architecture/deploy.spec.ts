import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { deliveryConfig } from '@tocsin/delivery';
import { findNatsServer } from '@tocsin/embedded';
import { eventRecorderConfig } from '@tocsin/event-recorder';
import { healthProbeConfig } from '@tocsin/health-probe';
import { subscriptionRegistryConfig } from '@tocsin/subscription-registry';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');

const CONFIGS: Record<string, { fields: object; parse: (env: Record<string, string>) => unknown }> = {
  delivery: deliveryConfig,
  'event-recorder': eventRecorderConfig,
  'health-probe': healthProbeConfig,
  'subscription-registry': subscriptionRegistryConfig,
};

interface Compose {
  services: Record<string, { command: string[]; environment: Record<string, string>; build?: { dockerfile: string } }>;
}

async function compose(): Promise<Compose> {
  return parse(await readFile(resolve(ROOT, 'deploy/compose.yaml'), 'utf8'), { merge: true }) as Compose;
}

describe('deploy/', () => {
  it.each(Object.keys(CONFIGS))('runs %s by a file that exists', async (service) => {
    const [program] = (await compose()).services[service]?.command ?? [];
    expect(program).toBe(`apps/${service}/dist/main.js`);
    await access(resolve(ROOT, `apps/${service}/src/main.ts`));
  });

  it.each(Object.keys(CONFIGS))('gives %s all it requires and nothing it does not know', async (service) => {
    const environment = (await compose()).services[service]?.environment ?? {};
    const config = CONFIGS[service];
    expect(Object.keys(environment).filter((name) => !(name in (config?.fields ?? {})))).toEqual([]);
    // What compose puts in from outside, as its reader would.
    const filled = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => {
        const given = name === 'TOCSIN_MASTER_KEY' ? Buffer.alloc(32).toString('base64') : 'x'.repeat(32);
        return [name, value.replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace(/\$\{\w+:\?[^}]*\}/g, given)];
      }),
    );
    expect(() => config?.parse(filled)).not.toThrow();
  });

  it('has a NATS configuration that nats-server takes', async () => {
    const server = await findNatsServer();
    const { stderr } = await promisify(execFile)(server, ['-t', '-c', resolve(ROOT, 'deploy/nats/nats-server.conf')]);
    expect(stderr).toContain('is valid');
  });

  it('builds the image from files that exist, on the Node that the scripts run', async () => {
    const dockerfile = await readFile(resolve(ROOT, 'deploy/Dockerfile'), 'utf8');
    const { devDependencies } = JSON.parse(await readFile(resolve(ROOT, 'package.json'), 'utf8'));
    const major = String(devDependencies.node).split('.')[0];
    expect(dockerfile.match(/^FROM node:(\d+)/gm)).toEqual([`FROM node:${major}`, `FROM node:${major}`]);
    for (const [, program = ''] of dockerfile.matchAll(/CMD \["(apps\/[^"]+)\/dist\/main\.js"\]/g)) {
      await access(resolve(ROOT, `${program}/src/main.ts`));
    }
    const services = Object.values((await compose()).services);
    for (const { build } of services) if (build !== undefined) await access(resolve(ROOT, build.dockerfile));
  });
});
