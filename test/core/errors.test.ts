import { describe, expect, it } from 'vitest';
import { AppError, toAppError } from '../../src/core/errors.ts';

describe('errors', () => {
  it('know their status and whether a retry makes sense from their code', () => {
    expect(new AppError('queue_full', 'full')).toMatchObject({ status: 429, retryable: true });
    expect(new AppError('context_length_exceeded', 'long')).toMatchObject({ status: 400, retryable: false });
  });

  it('cross a process boundary whole', () => {
    const error = new AppError('worker_crashed', 'gone', {
      field: 'model',
      fix: 'again',
      retryAfterSeconds: 2,
      details: { reason: 'hung' },
    });
    const back = AppError.fromWire(JSON.parse(JSON.stringify(error.toWire())));
    expect(back.toWire()).toEqual(error.toWire());
    expect(back).toMatchObject({ status: 503, retryable: true });
    expect(AppError.fromWire(new AppError('not_found', 'x').toWire())).toMatchObject({ field: null, details: null });
  });

  it('hide what was thrown by others, and keep it as the cause', () => {
    const thrown = new Error('/secret/path');
    const error = toAppError(thrown);
    expect(error.code).toBe('internal_error');
    expect(JSON.stringify(error.toWire())).not.toContain('secret');
    expect(error.cause).toBe(thrown);
    expect(toAppError(error)).toBe(error);
  });
});
