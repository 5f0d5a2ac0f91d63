import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/observe/logger.ts';

const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /;

function written(isText: boolean, log: (logger: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  log(
    createLogger(
      'info',
      {
        write: (line) => {
          text += line;
        },
      },
      undefined,
      { isText },
    ),
  );
  return text;
}

describe('the log', () => {
  const log = (logger: ReturnType<typeof createLogger>) =>
    logger.info(
      { model: 'tiny', gpu: { device: null, layers: 0 }, warnings: [], reason: null, requestId: 'req_1' },
      'model loaded',
    );

  it('is lines of JSON for programs', () => {
    expect(JSON.parse(written(false, log))).toMatchObject({ level: 30, msg: 'model loaded', reason: null });
  });

  it('is lines for people, without what has no value', () => {
    const text = written(true, log);
    expect(text).toMatch(time);
    expect(text.replace(time, '')).toBe('info   model loaded  request=req_1  model=tiny  gpu={"layers":0}\n');
  });

  it('has of an error its message, and no character that a terminal obeys', () => {
    const text = written(true, (logger) =>
      logger.error({ err: new Error('the disk is full\u001b[2J\nand more') }, 'lost\u001b[2J'),
    );
    expect(text.replace(time, '')).toBe('error  lost%1B[2J  err="the disk is full\\u001b[2J"\n');
  });
});
