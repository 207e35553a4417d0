import { EventReceiver, httpHandler, PostgresInbox } from '@tocsin/client/receive';
import { createServer } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
// Without this a connection that Postgres ends would end the process.
pool.on('error', complain);
const inbox = new PostgresInbox(pool);
await inbox.createTables();
await pool.query('CREATE TABLE IF NOT EXISTS state (subject text PRIMARY KEY, type text, position bigint)');

const receiver = new EventReceiver({
  secrets: process.env['TOCSIN_SECRETS']?.split(' ') ?? [],
  inbox,
  // What comes after a newer event of its subject is passed over: this table shows the present, not the past.
  newestOnly: true,
  onEvent: async (event, { transaction }) => {
    await transaction.query(
      'INSERT INTO state VALUES ($1, $2, $3) ON CONFLICT (subject) DO UPDATE SET type = $2, position = $3',
      [event.subject, event.type, event.position],
    );
  },
});

createServer(httpHandler(receiver, { onError: complain })).listen(
  Number(process.env['PORT'] ?? 9000),
  '127.0.0.1',
  () => process.stdout.write('listening\n'),
);

function complain(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
}
