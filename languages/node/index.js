// Connection pools for PostgreSQL and SQLite, visible in SQL, with promises. See README.md.
'use strict';
const start = require(process.env.TIDE_NODE_ADDON || './build/Release/tidepool.node');

// The order is that of tidepool.cpp.
const [OPEN, CLOSE, READ, POOL_QUERY, ACQUIRE, RELEASE, LEASE_QUERY, BEGIN, TX_QUERY, COMMIT, UNDO] = Array(11).keys();
const NONE = [0, 0];

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
async function call(operation, handle, texts = [], { readOnly = false, timeout = -1 } = {}, params = []) {
  if (texts.some((text) => text?.includes('\0'))) throw new TypeError('a text contains a NUL character');
  const numbers = [operation, ...handle, Number(readOnly), Math.ceil(timeout)].map(BigInt);
  const values = [...numbers, texts[0], texts[1], texts[2], ...params.map(toNative)];
  return start(values).catch((members) => { throw new TideError(members); });
}

async function query(operation, handle, sql, params, options) {
  const [columns, cells, ...counts] = await call(operation, handle, [sql, options?.tag], options, params);
  const width = columns.length, rows = Array.from({ length: cells.length / width || 0 }, () => ({}));
  cells.forEach((cell, at) => { rows[Math.floor(at / width)][columns[at % width]] = cell; });
  return { rows, columns, affected: counts[0], lastInsertId: counts[1] };
}

// The rows of a relation, such as 'pools' or 'leases': of all pools of this host, or of those with a name.
async function relation(name, pool) { return (await query(READ, NONE, name, [], { tag: pool })).rows; }

// A lease, or a transaction on one. What is called at the same time is executed one after the other.
class Session {
  #last = Promise.resolve();
  constructor(handle, operation) { Object.assign(this, { handle, operation }); }
  next(run) { return (this.#last = this.#last.catch(() => {}).then(run)); }
  query(sql, params, options) { return this.next(() => query(this.operation, this.handle, sql, params, options)); }
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
  static async open(name, url, options) {
    return new Pool(name, await call(OPEN, NONE, [name, url, JSON.stringify(options)]));
  }
  query(sql, params, options) { return query(POOL_QUERY, this.handle, sql, params, options); }
  // The lease is returned when the promise of `work` is settled.
  async lease(work, options) {
    const lease = new Session(await call(ACQUIRE, this.handle, [null, options?.tag], options), LEASE_QUERY);
    return Promise.resolve(lease).then(work).finally(() => lease.next(() => call(RELEASE, lease.handle)));
  }
  transaction(work, options) { return this.lease((lease) => lease.transaction(work, options), options); }
  relation(name) { return relation(name, this.name); }
  close(timeout) { return call(CLOSE, this.handle, [], { timeout }); }
}

module.exports = { Pool, TideError, relation };
