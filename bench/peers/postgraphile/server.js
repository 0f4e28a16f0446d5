// PostGraphile 5 over the schema `peer`, served by grafserv on Node's own HTTP server on PORT.
import { createServer } from 'node:http'
import { createVerifier } from 'fast-jwt'
import { constant, context } from 'grafast'
import { grafserv } from 'grafserv/node'
import pg from 'pg'
import { postgraphile } from 'postgraphile'
import { makePgService } from 'postgraphile/adaptors/pg'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { extendSchema, gql } from 'postgraphile/utils'

const verify = createVerifier({
  key: process.env.SUPABASE_JWT_SECRET,
  algorithms: ['HS256'],
  allowedAud: 'authenticated',
  requiredClaims: ['exp', 'sub'],
  cache: true
})

// The viewer is the root of every section, so the whole dashboard is planned into one statement without a transaction.
const ViewerPlugin = extendSchema((build) => {
  const { viewer } = build.pgResources
  return {
    typeDefs: gql`extend type Query { viewer: Viewer }`,
    objects: {
      Query: {
        plans: {
          viewer: () => viewer.get({ id: context().get('userId') })
        }
      }
    }
  }
})

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [ViewerPlugin],
  disablePlugins: ['NodePlugin'],
  pgServices: [
    makePgService({
      pool: new pg.Pool({
        connectionString: process.env.DATABASE_URL,
        max: 8,
        idleTimeoutMillis: 0,
        options: '-c timezone=UTC -c jit=off -c default_transaction_read_only=on'
      }),
      schemas: ['peer'],
      pubsub: false
    })
  ],
  schema: { defaultBehavior: '-connection +list -filter -orderBy -condition' },
  gather: { installWatchFixtures: false },
  grafast: {
    explain: false,
    context: (requestContext) => ({ userId: userOf(requestContext.node.req.headers.authorization ?? '') })
  },
  grafserv: { graphiql: false, websockets: false, watch: false, outputDataAsString: true }
}

function userOf (authorization) {
  try {
    const claims = verify(authorization.slice('Bearer '.length))
    if (claims.role === 'authenticated') return claims.sub
  } catch {}
  throw Object.assign(new Error('unauthenticated'), { statusCode: 401 })
}

const server = createServer()
const serv = postgraphile(preset).createServ(grafserv)
await serv.addTo(server)
if (process.env.PRINT) { const { printSchema } = await import('graphql'); console.log(printSchema(await serv.getSchema?.() ?? (await postgraphile(preset).getSchema()))) }
server.listen(Number(process.env.PORT), '127.0.0.1')
