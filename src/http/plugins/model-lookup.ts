import type { FastifyInstance, FastifyRequest } from 'fastify';
import { modelNameProblem } from '../fields/model-name.ts';
import type { RouteDeps } from '../mount/deps.ts';

/**
 * Where nobody is known to have the model of a request, services whose models are not in the configuration are asked what they
 * have, before it is seen where the request may go: after a start nothing is known of them. Lists are kept for a minute, so
 * that a name that nobody has does not ask each time.
 */
export function addModelLookup(app: FastifyInstance, deps: Pick<RouteDeps, 'gateway' | 'routing'>): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const model = request.routeOptions.config.startsWork === true ? modelOf(request) : null;
    const { wish, principal } = request;
    const looked =
      model === null ? null : deps.gateway.lookFor(model, { routing: wish.routing, config: deps.routing(), principal });
    if (looked === null) done();
    else looked.then(() => done());
  });
}

function modelOf({ body, headers }: FastifyRequest): string | null {
  const inBody = typeof body === 'object' && body !== null && 'model' in body ? body.model : null;
  const name = inBody ?? headers['x-model'];
  return typeof name === 'string' && modelNameProblem(name) === null ? name : null;
}
