import { EventReceiver, httpHandler, PostgresInbox } from '@tocsin/client/receive';
import express from 'express';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
// Without this a connection that Postgres ends would end the process.
pool.on('error', complain);
const inbox = new PostgresInbox(pool);
await inbox.createTables();
await pool.query('CREATE TABLE IF NOT EXISTS outage (node text, since timestamptz, reason text)');

const receiver = new EventReceiver({
  // Two while a secret is rotated: TOCSIN_SECRETS="whsec_new whsec_old"
  secrets: process.env['TOCSIN_SECRETS']?.split(' ') ?? [],
  inbox,
  types: ['io.tocsin.node.offline'],
  onEvent: async (event, { transaction }) => {
    // The compiler knows the payload. What is written here is committed with the memory of the event, or not at all.
    await transaction.query('INSERT INTO outage VALUES ($1, $2, $3)', [
      event.data.target,
      event.time,
      event.data.reason,
    ]);
  },
});

const app = express();
// Before any body parser: the signature covers the bytes that came.
app.post('/tocsin', httpHandler(receiver, { onError: complain }));
app.use(express.json());

app.listen(Number(process.env['PORT'] ?? 9000), '127.0.0.1', () => process.stdout.write('listening\n'));

function complain(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
}
