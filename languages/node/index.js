// Connection pools for PostgreSQL and SQLite, visible in SQL, with promises. See README.md.
'use strict';
const start = require(process.env.TIDE_NODE_ADDON || './build/Release/tidepool.node');

// The order is that of tidepool.cpp.
const [OPEN, CLOSE, READ, POOL_QUERY, ACQUIRE, RELEASE, CANCEL, LEASE_QUERY, BEGIN, TX_QUERY, COMMIT, UNDO] = Array(12).keys();
const ISOLATIONS = [undefined, 'read committed', 'repeatable read', 'serializable'];
const NONE = [0n, 0n];

// With the members of tide_error. After a timeout the detail says who holds the connections.
class TideError extends Error {
  constructor([message, status, sqlstate, detail, hint, constraint, retryable]) {
    super(message);
    Object.assign(this, { name: 'TideError', status, sqlstate, detail, hint, constraint, retryable });
  }
}

function toNative(value, index) {
  if (value instanceof Date) return value.toISOString();
  if (Number.isSafeInteger(value)) return BigInt(value);
  if (value == null || ['boolean', 'number', 'string'].includes(typeof value) || Buffer.isBuffer(value)) return value;
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
  throw new TypeError(`parameter ${index + 1} is not accepted: ${typeof value}; ` +
    'accepted: null, boolean, number, bigint of 64 bits, string, Buffer, Date');
}

// A handle is [pool, id].
async function call(operation, handle, texts = [], { readOnly = false, timeout = -1, isolation } = {}, params = []) {
  const level = ISOLATIONS.indexOf(isolation);
  if (level < 0) throw new TypeError(`isolation: ${isolation}; accepted: ${ISOLATIONS.slice(1).join(', ')}`);
  if (texts.some((text) => text?.includes('\0'))) throw new TypeError('a text contains a NUL character');
  const values = [texts[0], texts[1], texts[2], ...params.map(toNative)];
  try {
    return await start(operation, ...handle, Number(readOnly), timeout, values, level);
  } catch (error) {
    throw Array.isArray(error) ? new TideError(error) : error;
  }
}

function toRows(names, cells, convert = (cell) => cell) {
  const columns = names.length, rows = Array.from({ length: cells.length / columns || 0 }, () => ({}));
  cells.forEach((cell, at) => { rows[Math.floor(at / columns)][names[at % columns]] = convert(cell, at % columns); });
  return rows;
}

async function query(operation, handle, sql, params, options) {
  const [columns, cells, affected, lastInsertId] = await call(operation, handle, [sql, options?.tag], options, params);
  return { rows: toRows(columns, cells), columns, affected, lastInsertId };
}

// The rows of a relation, such as 'pools' or 'leases': of all pools of this host, or of those with a name.
async function relation(name, pool) {
  const [columns, cells] = await call(READ, NONE, [name, pool]); // a column is [name, type]
  const converters = { 1: Number, 2: Number, 4: (text) => text === '1', 5: (text) => new Date(text.replace(' ', 'T')) };
  const convert = (text, column) => (text === null ? null : (converters[columns[column][1]] ?? String)(text));
  return toRows(columns.map(([column]) => column), cells, convert);
}

// A lease or a transaction. What is called at the same time is executed one after the other.
class Session {
  #last = Promise.resolve();
  constructor(handle, operation) { Object.assign(this, { handle, operation }); }
  next(run) {
    const done = this.#last.then(run);
    this.#last = done.catch(() => {});
    return done;
  }
  query(sql, params, options) { return this.next(() => query(this.operation, this.handle, sql, params, options)); }
}

const forgotten = new FinalizationRegistry((handle) => call(RELEASE, handle).catch(() => {}));

class Lease extends Session {
  constructor(handle) { forgotten.register(super(handle, LEASE_QUERY), handle, this); }
  cancel() { return call(CANCEL, this.handle); }
  release() { forgotten.unregister(this); return this.next(() => call(RELEASE, this.handle)); }
  // Commits when the promise of `work` is fulfilled, rolls back when it is rejected.
  async transaction(work, options) {
    const tx = new Session(await this.next(() => call(BEGIN, this.handle, [], options)), TX_QUERY);
    const end = (operation) => tx.next(() => call(operation, tx.handle));
    const undo = (error) => end(UNDO).catch(() => {}).then(() => { throw error; });
    const result = await Promise.resolve(tx).then(work).catch(undo);
    await end(COMMIT);
    return result;
  }
}

class Pool {
  constructor(name, handle) { Object.assign(this, { name, handle }); }
  static async open(name, url, options) { return new Pool(name, await call(OPEN, NONE, [name, url, JSON.stringify(options)])); }
  query(sql, params, options) { return query(POOL_QUERY, this.handle, sql, params, options); }
  async acquire(options) { return new Lease(await call(ACQUIRE, this.handle, [null, options?.tag], options)); }
  async lease(work, options) {
    return this.acquire(options).then((lease) => Promise.resolve(lease).then(work).finally(() => lease.release()));
  }
  // As that of a lease, and again after a conflict.
  transaction(work, options, retries = options?.retries ?? 3) {
    return this.lease((lease) => lease.transaction(work, options), options).catch((error) => {
      if (retries <= 0 || !['40001', '40P01'].includes(error.sqlstate)) throw error;
      return this.transaction(work, options, retries - 1);
    });
  }
  relation(name) { return relation(name, this.name); }
  close(timeout) { return call(CLOSE, this.handle, [], { timeout }); }
}

module.exports = { Pool, TideError, relation };
