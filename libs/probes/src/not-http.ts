/** What came is no answer in HTTP. The code is the one by which llhttp, Node's own parser, names such a fault. */
export class NotHttp extends Error {
  constructor(readonly code: `HPE_${string}`) {
    super('not an answer in HTTP');
    this.name = 'NotHttp';
  }
}
