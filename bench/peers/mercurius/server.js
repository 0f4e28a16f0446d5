// Fastify and Mercurius with its JIT, serving our own schema.graphql on PORT.
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { resolvers } from './resolvers.js'
import { viewerOf } from './viewer.js'

const app = Fastify({ logger: false })
app.register(mercurius, {
  schema: readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'),
  resolvers,
  jit: 1,
  compilerOptions: { disableLeafSerialization: true },
  graphiql: false,
  context: async (request) => ({ viewer: await viewerOf(request) })
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
