import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';

const health = z.enum(['healthy', 'degraded', 'unhealthy']);

export const healthAnswer = z
  .object({
    server: z
      .literal('hearth')
      .meta({ description: 'By this a client knows whom it speaks to before it sends a key.' }),
    status: health,
    version: z.string(),
    timestamp,
    model_loaded: z.boolean(),
    memory_usage: z.string().meta({ description: 'Used of the budget', examples: ['2.1GB/8GB'] }),
    memory: z
      .object({
        budget_bytes: count,
        available_bytes: count.meta({ description: 'Free for new loads now.' }),
        used_bytes: count.meta({ description: 'Physical memory of the server and its models.' }),
        reserve_bytes: count.meta({ description: 'Left to others.' }),
        source: z.string().meta({ description: 'Where the budget comes from.', examples: ['host', 'cgroup-v2'] }),
      })
      .meta({ id: 'MemoryStatus' }),
    active_connections: count,
    aws: z
      .enum(['connected', 'configured', 'not_configured', 'unreachable'])
      .meta({ description: 'A provider of the type bedrock; configured: it was never asked.' }),
    clients_initialized: z.boolean(),
    components: z.object({
      engine: health,
      models: health,
      config: health.meta({
        description: 'Degraded: the file was changed and cannot be used; the last good one is in force.',
      }),
      providers: health.meta({ description: 'As far as is known without asking any.' }),
      database: health.meta({ description: 'Where answers are kept that clients may ask for again.' }),
      cache: health.meta({ description: 'Of prompts; where it fails, they are read again.' }),
    }),
    providers: z
      .object({
        configured: count,
        enabled: count,
        without_key: count.meta({ description: 'Of those that are on: they cannot be asked.' }),
        list: z
          .array(z.object({ id: z.string(), enabled: z.boolean(), key: z.enum(['set', 'missing', 'not_needed']) }))
          .optional()
          .meta({ description: 'Only where the server asks nobody for a key; else /health/providers has them.' }),
      })
      .meta({ description: 'Those of the configuration, beside this machine.' }),
    gpus: z
      .array(
        z.object({
          name: z.string(),
          backend: z.enum(['cuda', 'vulkan', 'metal']),
          kind: z.enum(['discrete', 'integrated', 'software']),
          memory_bytes: count,
          memory_free_bytes: count,
        }),
      )
      .meta({ description: 'Known once a load has asked for one.' }),
  })
  .meta({ id: 'Health' });
