import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { fastifyZodOpenApiPlugin, fastifyZodOpenApiTransformers } from 'fastify-zod-openapi';

const description = `Local models behind the OpenAI API and a native API.

With a key configured, send it as \`Authorization: Bearer KEY\` or \`X-API-Key: KEY\`.`;

/**
 * Everything the page may load comes from this server: it works without a network. Swagger UI writes style attributes,
 * no scripts.
 */
const pagePolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; " +
  "base-uri 'self'; frame-ancestors 'self'";

/** Collects the schemas of all routes registered after it, and serves them as `/openapi.json` and `/docs`. */
export async function addDocs(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifyZodOpenApiPlugin);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Hearth', version, description, license: { name: 'MIT', identifier: 'MIT' } },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
      // The empty alternative: no key is needed where none is configured.
      security: [{ bearer: [] }, { apiKey: [] }, {}],
    },
    transform: fastifyZodOpenApiTransformers.transform,
    transformObject: (input) => {
      const document = fastifyZodOpenApiTransformers.transformObject(input);
      markOptionalBodies(document.paths ?? {});
      return document;
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: pagePolicy,
    // The validator badge would ask a server of Swagger.
    uiConfig: { validatorUrl: null, docExpansion: 'list', deepLinking: true },
    theme: { title: 'Hearth API' },
  });
}

/** `GET /openapi.json`: the document that `/docs` shows. */
export function addDocument(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    // The document has no schema of its own to be serialised by.
    reply.type('application/json; charset=utf-8').send(JSON.stringify(app.swagger())),
  );
}

/** What `fastify-zod-openapi` leaves on a body's schema to say whether the schema takes undefined. */
const optionalMark = 'x-fastify-zod-openapi-optional';

interface DescribedBody {
  required?: boolean;
  content?: Record<string, { schema?: Record<string, unknown> }>;
}

/** Swagger calls every body required; this puts right those that may be left out, and takes the marks away. */
function markOptionalBodies(paths: object): void {
  const operations = Object.values(paths).flatMap((methods: Record<string, { requestBody?: DescribedBody }>) =>
    Object.values(methods),
  );
  for (const { requestBody } of operations) {
    for (const { schema } of Object.values(requestBody?.content ?? {})) {
      if (requestBody && schema?.[optionalMark] === true) requestBody.required = false;
      delete schema?.[optionalMark];
    }
  }
}
