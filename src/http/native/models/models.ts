import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { checkModelName } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toNativeModel } from './from-core.ts';
import { toNativePlan, toPlanAnswer } from './plan-from-core.ts';
import { planAnswer, planQuery } from './plan-schema.ts';
import {
  loadAnswer,
  loadBody,
  modelEnvelope,
  modelList,
  modelListEnvelope,
  modelPath,
  nativeModel,
  unloadAnswer,
  unloadBody,
} from './schema.ts';
import { loadToCore } from './to-core.ts';

/** The list of models, one model, and loading and unloading it. */
export function addModelRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const unknownModel = { 404: jsonAnswer(mount.errorSchema, 'There is no such model') };

  app.get('/models', {
    schema: {
      summary: 'List the models on disk, unusable ones included',
      tags,
      response: { 200: jsonAnswer(mount.hasEnvelope ? modelListEnvelope : modelList, 'The models'), ...errors },
    },
    handler: async (request) => {
      const models = (await deps.engine.listModels()).map(toNativeModel);
      const left_out = [...deps.engine.leftOut()];
      if (!mount.hasEnvelope) return { models, left_out };
      return { models, left_out, success: true as const, data: models, metadata: { request_id: request.id } };
    },
  });

  app.get('/models/:name', {
    schema: {
      summary: 'Show a model',
      tags,
      params: modelPath,
      response: {
        200: jsonAnswer(mount.hasEnvelope ? modelEnvelope : nativeModel, 'The model'),
        ...unknownModel,
        ...errors,
      },
    },
    handler: async (request) => {
      const model = toNativeModel(await deps.engine.getModel(checkModelName(request.params.name)));
      if (!mount.hasEnvelope) return model;
      return { ...model, success: true as const, data: model, metadata: { request_id: request.id } };
    },
  });

  app.get('/models/:name/plan', {
    schema: {
      summary: 'Show how a model would be loaded',
      description: 'Settings and expected memory, or what is missing; nothing is loaded.',
      tags,
      params: modelPath,
      querystring: planQuery,
      response: {
        200: jsonAnswer(planAnswer, 'The plan'),
        ...unknownModel,
        422: jsonAnswer(mount.errorSchema, 'The model cannot be loaded'),
        ...errors,
      },
    },
    handler: async (request) =>
      toPlanAnswer(await deps.engine.plan(checkModelName(request.params.name), loadToCore(request.query))),
  });

  app.post('/models/:name/load', {
    config: { startsWork: true, allowsEmptyBody: true },
    schema: {
      summary: 'Load a model',
      description: 'Answers when the model is ready. A model that is loaded with the same settings is left as it is.',
      tags,
      params: modelPath,
      body: loadBody.optional(),
      response: { 200: jsonAnswer(loadAnswer, 'The model is ready'), ...workErrorAnswers(mount.errorSchema) },
    },
    handler: async (request) => {
      const name = checkModelName(request.params.name);
      const startMs = deps.clock.monotonicMs();
      const model = await deps.engine.load(name, loadToCore(request.body));
      return {
        status: 'success' as const,
        model: toNativeModel(model),
        plan: model.loaded?.plan ? toNativePlan(model.loaded.plan) : null,
        load_ms: Math.round(deps.clock.monotonicMs() - startMs),
        message: `Model ${model.name} is loaded.`,
      };
    },
  });

  app.post('/models/:name/unload', {
    config: { allowsEmptyBody: true },
    schema: {
      summary: 'Unload a model',
      description: 'Answers when running requests have ended and the memory is free.',
      tags,
      params: modelPath,
      body: unloadBody.optional(),
      response: {
        200: jsonAnswer(unloadAnswer, 'The model is unloaded'),
        ...unknownModel,
        ...bodyErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request) => {
      const model = await deps.engine.unload(checkModelName(request.params.name));
      return { status: 'success' as const, model: toNativeModel(model), message: `Model ${model.name} is unloaded.` };
    },
  });
}
