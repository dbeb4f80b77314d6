// What the binding for Node.js promises, on the database whose URL is the argument.
'use strict';
const assert = require('node:assert/strict');
const { setTimeout: delay } = require('node:timers/promises');
const { Pool, TideError, relation } = require('tidepool');

const url = process.argv[2];
const isServer = !url.includes('sqlite');
const slow = isServer ? 'select pg_sleep(20)'
  : 'with recursive r(i) as (select 1 union all select i + 1 from r where i < 1000000000) select count(*) from r';
const brief = isServer ? 'select pg_sleep(0.1)' : slow.replace('1000000000', '200000');

const promises = {
  // Values arrive as they were sent.
  async values(pool) {
    await pool.query(`create table kept (i bigint, f float8, t text, b ${isServer ? 'bytea' : 'blob'}, o boolean)`);
    const done = await pool.query('insert into kept values ($1, $2, $3, $4, $5)',
      [9007199254740993n, 1.5, 'tide \u00e9\u{1f30a}', Buffer.from('a\0b'), true]);
    assert.equal(done.affected, 1);
    const { rows, columns } = await pool.query('select * from kept');
    assert.deepEqual(columns, ['i', 'f', 't', 'b', 'o']);
    assert.deepEqual(rows,
      [{ i: 9007199254740993n, f: 1.5, t: 'tide \u00e9\u{1f30a}', b: Buffer.from('a\0b'), o: isServer ? true : 1 }]);
    await pool.query('update kept set i = ?, f = null, t = null, b = null, o = null', [7]);
    assert.deepEqual((await pool.query('select * from kept where i = ?', [7])).rows,
      [{ i: 7, f: null, t: null, b: null, o: null }]);
    assert.deepEqual((await pool.query('select i from kept where i = 8')).rows, []);
  },

  // Errors have the members of tide_error; bad arguments never reach the database.
  async errors(pool) {
    await assert.rejects(pool.query('select nothing_like_this'), (error) => error instanceof TideError &&
      error.status === 'database' && error.sqlstate === '42703' && error.message.includes('nothing_like_this'));
    await pool.query('create table once (i integer primary key)');
    await pool.query('insert into once values (1)');
    await assert.rejects(pool.query('insert into once values (1)'), { sqlstate: '23505' });
    await assert.rejects(pool.query('select $1', [1, 2]), { status: 'bad_argument' });
    for (const value of [{}, [], () => 1, 2n ** 63n]) {
      await assert.rejects(pool.query('select $1', [value]), TypeError);
    }
    await assert.rejects(pool.query('select 1\0; drop table once'), TypeError);
    await assert.rejects(Pool.open('bad', url, { max_siz: 1 }), { status: 'bad_option' });
    await assert.rejects(relation('nothing'), { status: 'not_found' });
  },

  // Committed when the promise is fulfilled, rolled back when it is rejected; statements in it wait for each other.
  async transactions(pool) {
    const count = async () => Number((await pool.query('select count(*) as n from once')).rows[0].n);
    const found = await pool.transaction(async (tx) => {
      await Promise.all([tx.query(brief), ...[2, 3].map((i) => tx.query('insert into once values ($1)', [i]))]);
      return (await tx.query('select 5 as five')).rows[0].five;
    });
    assert.equal(found, 5);
    await assert.rejects(pool.transaction(async (tx) => {
      tx.query('insert into once values (4)').catch(() => {}); // not awaited
      throw new RangeError('no');
    }), RangeError);
    await assert.rejects(pool.transaction(() => { throw new RangeError('not asynchronous'); }), RangeError);
    await assert.rejects(pool.transaction((tx) => tx.query('insert into once values (1)')), { sqlstate: '23505' });
    assert.equal(await count(), 3);
    await assert.rejects(pool.transaction((tx) => tx.transaction(() => 1)), TideError);
    if (isServer) {
      const { rows } = await pool.transaction(async (tx) => {
        await tx.query('set transaction isolation level serializable');
        return tx.query("select current_setting('transaction_isolation') as level");
      });
      assert.equal(rows[0].level, 'serializable');
    }
    await assert.rejects(pool.transaction((tx) => tx.query('delete from once'), { readOnly: true }), TideError);
    assert.deepEqual(await pool.relation('leases'), []);
  },

  // A timeout says who holds the connections; a lease ends with its function.
  async timeouts(pool) {
    let end, last;
    const ended = new Promise((resolve) => { end = resolve; });
    const leases = [0, 1, 2, 3].map((number) => pool.lease((lease) => { last = lease; return ended; },
      { tag: `report ${number}` }));
    for (let tries = 0; (await pool.relation('leases')).length < 4; ++tries) assert.ok(tries < 500);
    await assert.rejects(pool.query('select 1', [], { timeout: 100 }),
      (error) => error.status === 'timeout' && error.retryable && error.detail.includes('report 0'));
    await assert.rejects(pool.lease(() => 1, { timeout: 100 }), { status: 'timeout' });
    end(5);
    assert.deepEqual(await Promise.all(leases), [5, 5, 5, 5]);
    await assert.rejects(last.query('select 1'), { status: 'stale_lease' });
    await assert.rejects(pool.lease(() => { throw new RangeError('not asynchronous'); }), RangeError);
    assert.deepEqual(await pool.relation('leases'), []);
  },

  // The timeout of a call cancels the statement; meanwhile JavaScript's thread is free, and the lease remains.
  async cancelled(pool) {
    await pool.lease(async (lease) => {
      let ticks = 0;
      const timer = setInterval(() => { ++ticks; }, 20);
      const started = Date.now();
      await assert.rejects(lease.query(slow, [], { timeout: 200 }), TideError);
      clearInterval(timer);
      assert.ok(ticks > 0 && Date.now() - started < 10000, `${ticks}`);
      assert.deepEqual((await lease.query('select 1 as one')).rows, [{ one: 1 }]);
    });
  },

  // Forty transactions at once on four connections, and readers: nothing is lost, and nobody starves.
  async at_once(pool) {
    await pool.query('create table sum (i integer)');
    await pool.query('insert into sum values (0)');
    await Promise.all(Array.from({ length: 40 }, async () => {
      await pool.transaction((tx) => tx.query('update sum set i = i + 1'));
      await Promise.all([pool.query('select 1', [], { readOnly: true }), pool.query('update sum set i = i + 1')]);
    }));
    assert.deepEqual((await pool.query('select i from sum')).rows, [{ i: 80 }]);
  },

  // What is pending when Node.js ends does no harm.
  async ending() {
    const { Worker } = require('node:worker_threads');
    const code = `const { Pool } = require(${JSON.stringify(require.resolve('tidepool'))});
      Pool.open('ending', ${JSON.stringify(url)}, { max_size: 2 }).then((pool) => {
        pool.query(${JSON.stringify(slow)}, [], { timeout: 300 }).catch(() => {});
        setTimeout(() => process.exit(0), 50);
      });`;
    const worker = new Worker(code, { eval: true });
    assert.equal(await new Promise((resolve) => { worker.on('exit', resolve); }), 0);
    await delay(400); // the callback of the query comes, for an environment that has ended
  },
};

async function main() {
  const pool = await Pool.open('promises', url, { max_size: 4 });
  for (const table of ['kept', 'once', 'sum']) await pool.query(`drop table if exists ${table}`);
  for (const [name, promise] of Object.entries(promises)) {
    await promise(pool);
    console.log(name);
  }
  await pool.close();
  await assert.rejects(pool.query('select 1'), { status: 'closed' });
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
