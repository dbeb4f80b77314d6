// node-postgres (pg) with its Pool; named statements are prepared. See client.hpp.
'use strict';
const { Pool } = require('pg');

const texts = {
  one: 'SELECT 1',
  eight: 'SELECT 1',
  thousand: 'SELECT id, name, value FROM bench_items WHERE id <= 1000 ORDER BY id',
};

async function main() {
  const [work, seconds] = [process.argv[2], Number(process.argv[3])];
  const pool = new Pool({ host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER,
    database: process.env.PGDATABASE, max: 8 });
  const until = Date.now() + seconds * 1000;
  let calls = 0;
  const go = async () => {
    while (Date.now() < until) {
      await pool.query({ name: work, text: texts[work] });
      calls += 1;
    }
  };
  const began = Date.now();
  await Promise.all(Array.from({ length: work === 'eight' ? 8 : 1 }, go));
  console.log((calls * 1000 / (Date.now() - began)).toFixed(1));
  await pool.end();
}

main().catch((error) => { console.error(error.message); process.exit(1); });
