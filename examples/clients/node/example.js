'use strict';
// node example.js HOST PORT

const { KVError } = require('./generated/ringwright_types');
const { Pool } = require('./pool');

async function main() {
  const pool = new Pool(process.argv[2], Number(process.argv[3]));
  const key = Buffer.from('cart-node');

  // A context says what a put replaces; without one it is concurrent with all that is there.
  await pool.put({ key, value: Buffer.from('eggs') });
  await pool.put({ key, value: Buffer.from('milk') });
  const seen = await pool.get({ key });
  const values = seen.siblings.map((sibling) => sibling.value.toString()).sort();
  console.log('siblings:', values.join(' '));

  // Merge what concurrent writers left, and replace all that was read.
  const merged = Buffer.from(values.join(', '));
  const written = await pool.put({ key, value: merged, context: seen.context });
  console.log('merged:', (await pool.get({ key })).siblings[0].value.toString());

  // The context of a put covers it, so that the same client can go on without reading again.
  await pool.remove({ key, context: written.context });
  console.log('deleted:', (await pool.get({ key })).siblings.length, 'siblings');

  try {
    await pool.get({ key, keyspace: 'nowhere' });
  } catch (error) {
    if (!(error instanceof KVError)) throw error;
    const word = (is) => (is ? 'yes' : 'no');
    console.log('refused:', error.message);
    console.log('worth another try:', word(error.retryable) + ',',
      'may have happened:', word(error.outcome_unknown));
  }
  pool.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
