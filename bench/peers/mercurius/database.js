// The pool, and the statements of sql/: prepared by name, filters written out, rows as GraphQL wants them.
import { readFileSync } from 'node:fs'
import pg from 'pg'

const BIGINT = 20
const DATE = 1082
const TIMESTAMPTZ = 1184
const NUMERIC = 1700
const types = new pg.TypeOverrides()
types.setTypeParser(BIGINT, Number)
types.setTypeParser(NUMERIC, Number)
types.setTypeParser(DATE, (text) => text)
types.setTypeParser(TIMESTAMPTZ, (text) => text.replace(' ', 'T').replace('+00', 'Z'))

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: 8,
  idleTimeoutMillis: 0,
  options: '-c timezone=UTC -c jit=off -c default_transaction_read_only=on',
  types
})

const statements = new Map()

export const read = (name) => readFileSync(new URL(`sql/${name}.sql`, import.meta.url), 'utf8')

/** The rows of sql/<name>.sql. `narrowed` has further columns and what each must equal; null does not narrow. */
export async function rows (name, values, narrowed = [], metrics = []) {
  const given = narrowed.filter(([, value]) => value != null)
  const key = [name, ...given.map(([column]) => column), ...metrics.map((metric) => metric.name)].join()
  let statement = statements.get(key)
  if (statement === undefined) {
    const text = read(name)
      .replaceAll(':narrowed', given.map(([column], i) => `and f.${column} = $${values.length + i + 1}`).join(' '))
      .replace(':metrics', metrics.map((metric) => `, ${metric.sql}`).join(''))
    statement = { name: `${name}_${statements.size}`, text }
    statements.set(key, statement)
  }
  const result = await pool.query({ ...statement, values: [...values, ...given.map(([, value]) => value)] })
  return result.rows
}
