import { afterEach, describe, expect, it } from 'vitest';
import { call, putThing, start, stop } from '../things-service.fixture.js';

afterEach(stop);

describe('bodies', () => {
  it('takes JSON that fits the schema', async () => {
    await start();
    const answer = await putThing('{"name":"a","size":2}', 'application/json; charset=utf-8');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ thing: { name: 'a', size: 2 }, by: 'ci' });
  });

  it('names every fault by pointer with 422', async () => {
    await start();
    const answer = await putThing('{"name":1,"size":0,"extra":true}');
    expect(answer.status).toBe(422);
    expect(answer.body['code']).toBe('TCN_INVALID');
    expect((answer.body['errors'] as { pointer: string }[]).map((fault) => fault.pointer).toSorted()).toEqual([
      '/extra',
      '/name',
      '/size',
    ]);
  });

  it('validates where a parameter names its schema', async () => {
    await start();
    expect((await call('/v1/search?limit=5')).body).toEqual({ limit: 5 });
    const query = await call('/v1/search?limit=500&x=1');
    expect(query.status).toBe(422);
    expect((query.body['errors'] as { pointer: string }[]).map((fault) => fault.pointer).toSorted()).toEqual([
      '/limit',
      '/x',
    ]);
    const body = await call('/v1/search', {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(body.body).toMatchObject({ code: 'TCN_INVALID', errors: [{ pointer: '/limit' }] });
  });

  it('says what is wrong with JSON, and where', async () => {
    await start();
    const answer = await putThing('{"name": "a",\n "size": }');
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      code: 'TCN_MALFORMED',
      detail: 'the body is not JSON: line 2, column 10: expected a value, found "}"',
    });
  });

  it('refuses a body in another charset, not UTF-8, compressed, or nested too deeply', async () => {
    await start();
    expect((await putThing('{}', 'application/json; charset=latin1')).status).toBe(415);
    const broken = await call('/v1/things/a', {
      method: 'PUT',
      key: 'editor',
      body: Buffer.from([0x22, 0xff, 0x22]),
      headers: { 'content-type': 'application/json' },
    });
    expect(broken.body).toMatchObject({ code: 'TCN_MALFORMED', detail: 'the body is not UTF-8' });
    const packed = await call('/v1/things/a', {
      method: 'PUT',
      key: 'editor',
      body: 'x',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(packed.status).toBe(415);
    const deep = await putThing('['.repeat(200_000) + ']'.repeat(200_000));
    expect(deep.status).toBe(400);
    expect(deep.body['detail']).toBe('the body is nested more than 100 levels deep');
  });

  it('refuses a body of another content type, or of none', async () => {
    await start();
    const form = await putThing('name=a', 'application/x-www-form-urlencoded');
    expect(form.status).toBe(415);
    expect(form.body).toMatchObject({
      code: 'TCN_UNSUPPORTED_MEDIA_TYPE',
      detail: 'Content-Type application/x-www-form-urlencoded is not taken here; send application/json',
    });
    const none = await call('/v1/things/a', { method: 'PUT', key: 'editor', body: Buffer.from('{}') });
    expect(none.status).toBe(415);
  });

  it('refuses a body over the limit, announced or not', async () => {
    await start({ bodyLimitBytes: 1_000 });
    const announced = await putThing(JSON.stringify({ name: 'x'.repeat(2_000), size: 1 }));
    expect(announced.status).toBe(413);
    expect(announced.body).toMatchObject({ code: 'TCN_TOO_LARGE', detail: 'the body is larger than 1000 bytes' });
    const chunked = await call('/v1/things/a', {
      method: 'PUT',
      key: 'editor',
      body: new Blob(['x'.repeat(5_000)]).stream(),
      headers: { 'content-type': 'application/json' },
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).toBe(413);
  });

  it('takes a larger body where the route says so, up to what it says', async () => {
    await start({ bodyLimitBytes: 1_000 });
    const send = (chars: number) =>
      call('/v1/large', {
        method: 'POST',
        body: JSON.stringify('x'.repeat(chars)),
        headers: { 'content-type': 'application/json' },
      });
    expect(await send(2_500)).toMatchObject({ status: 200, body: { bytes: 2_502 } });
    expect((await send(3_500)).body).toMatchObject({
      code: 'TCN_TOO_LARGE',
      detail: 'the body is larger than 3000 bytes',
    });
  });

  it('gives a route the raw bytes of any content type, and the value where it is JSON', async () => {
    await start();
    const binary = await call('/v1/events', {
      method: 'POST',
      key: 'producer',
      body: Buffer.from([1, 2, 255]),
      headers: { 'content-type': 'image/png' },
    });
    expect(binary.status).toBe(201);
    expect(binary.body).toEqual({ raw: '0102ff' });
    const json = await call('/v1/events', {
      method: 'POST',
      key: 'producer',
      body: '{}',
      headers: { 'content-type': 'application/vnd.acme+json' },
    });
    expect(json.body).toEqual({ raw: '7b7d', body: {} });
    const empty = await call('/v1/events', { method: 'POST', key: 'producer' });
    expect(empty.body).toEqual({});
  });

  it('does not read the body of a caller without a key', async () => {
    await start();
    const answer = await putThing('{"broken', 'application/json', 'nobody');
    expect(answer.status).toBe(401);
  });
});
