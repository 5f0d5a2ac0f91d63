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
    aws: z.enum(['connected', 'not_configured', 'unreachable']),
    clients_initialized: z.boolean(),
    components: z.object({ engine: health, models: health }),
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
