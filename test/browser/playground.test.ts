import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, skipReason, startStage, titleOf, widths } from './page.ts';

describe.skipIf(skipReason !== null)(titleOf('the screen Playground'), () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage?.close());

  it.each(Object.entries(widths))('chats by the keyboard alone (%s)', async (_name, width) => {
    const opened = await stage.open('playground', { width });
    const { page } = opened;
    await page.getByRole('button', { name: 'What can you do?' }).waitFor();
    await opened.check();
    await page.getByLabel('Your message').focus();
    await page.keyboard.type('What is Hearth?');
    await page.keyboard.press('Enter');
    const log = page.getByRole('log');
    await log.getByText('Hearth is a server for running language models').waitFor();
    await log.getByText(/\d+ tokens · [\d.]+ tokens\/s · first after/).waitFor();
    await page.keyboard.type('And what is GGUF?');
    await page.keyboard.press('Enter');
    await expect.poll(() => log.getByRole('article').count()).toBe(4);
    await log
      .getByText(/\d+ tokens · /)
      .nth(1)
      .waitFor();
    await opened.check();
    await opened.close();
  });

  it('shows the numbers of the answer as the server counted them', async () => {
    const opened = await stage.open('playground');
    const { page } = opened;
    let answer = '';
    await page.route('**/v1/chat/completions', async (route) => {
      const response = await route.fetch();
      answer = await response.text();
      await route.fulfill({ response, body: answer });
    });
    await page.getByLabel('Your message').fill('What is Hearth?');
    await page.keyboard.press('Enter');
    const footer = page.getByRole('log').getByText(/\d+ tokens · /);
    await footer.waitFor();
    const usage = /"usage":(\{"prompt_tokens".*?\}\})/.exec(answer)![1]!;
    const { prompt_tokens, completion_tokens } = JSON.parse(usage) as Record<string, number>;
    const said = await footer.innerText();
    expect(said).toContain(`${completion_tokens} tokens · `);
    expect(said).toContain(`prompt of ${prompt_tokens}`);
    await opened.close();
  });

  it('stops when told, and keeps what is there', async () => {
    const opened = await stage.open('playground');
    const { page } = opened;
    await page.route('**/v1/chat/completions', async (route) => {
      // An answer that says a word and is then silent; the real one is over before it could be stopped.
      await new Promise((resolve) => setTimeout(resolve, 30_000));
      await route.abort().catch(() => {});
    });
    await page.getByLabel('Your message').fill('Tell me a long story.');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('log').getByText('stopped').waitFor();
    await page.getByRole('button', { name: 'Send' }).waitFor();
    await opened.close();
  });

  it('says why there is no answer, with the button that asks again', async () => {
    const opened = await stage.open('playground?model=not-there', { width: widths.phone });
    const { page } = opened;
    await page.getByLabel('Your message').fill('Hello');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.getByText('There is no answer').waitFor();
    await alert.getByText('not-there').waitFor();
    expect(await alert.getByRole('link', { name: 'Choose another model' }).count()).toBe(1);
    await page.getByLabel('Model').selectOption('hearth-guide-3m');
    await alert.getByRole('button', { name: 'Ask again' }).click();
    await page
      .getByRole('log')
      .getByText(/\d+ tokens · /)
      .waitFor();
    expect(opened.complaints.filter((text) => !text.includes('404'))).toEqual([]);
    await opened.close();
  });

  it('makes elements of Markdown, and of nothing else', async () => {
    const opened = await stage.open('playground');
    const { page } = opened;
    const text =
      '# Title\n\n- **a**\n\n```js\nlet x = 1;\n```\n\n<img src=x onerror="document.title=1"> [bad](javascript:alert)';
    await page.route('**/v1/chat/completions', (route) =>
      route.fulfill({
        contentType: 'text/event-stream',
        body: `data: ${JSON.stringify({ choices: [{ delta: { reasoning_content: 'Hm.' } }] })}\n\ndata: ${JSON.stringify(
          {
            choices: [{ delta: { content: text }, finish_reason: 'stop' }],
          },
        )}\n\ndata: [DONE]\n\n`,
      }),
    );
    await page.getByLabel('Your message').fill('Hello');
    await page.keyboard.press('Enter');
    const log = page.getByRole('log');
    await log.getByRole('heading', { name: 'Title' }).waitFor();
    expect(await log.locator('li strong').innerText()).toBe('a');
    expect(await log.locator('pre').innerText()).toBe('let x = 1;');
    expect(await log.locator('img, script, a').count()).toBe(0);
    expect(await log.getByText('<img src=x').count()).toBe(1);
    await log.getByText('What it thought').click();
    await log.getByText('Hm.').waitFor();
    await opened.check();
    await opened.close();
  });

  it('shows the calls of tools, and gives their results to the model', async () => {
    const opened = await stage.open('playground');
    const { page } = opened;
    const bodies: { messages: { role: string; content: string }[]; tools?: unknown[] }[] = [];
    await page.route('**/v1/chat/completions', (route) => {
      bodies.push(route.request().postDataJSON());
      const call = {
        index: 0,
        id: 'call_1',
        function: { name: 'switch_light', arguments: '{"room":"hall","on":true}' },
      };
      const choice =
        bodies.length === 1
          ? { delta: { tool_calls: [call] }, finish_reason: 'tool_calls' }
          : { delta: { content: 'It is on.' }, finish_reason: 'stop' };
      return route.fulfill({
        contentType: 'text/event-stream',
        body: `data: ${JSON.stringify({ choices: [choice] })}\n\ndata: [DONE]\n\n`,
      });
    });
    await page.locator('summary', { hasText: 'Settings' }).click();
    await page.getByRole('button', { name: 'Take an example' }).click();
    await page.getByLabel('Your message').fill('Light in the hall, please.');
    await page.keyboard.press('Enter');
    await page.getByLabel('Result of switch_light').fill('done');
    await opened.check();
    await page.getByRole('button', { name: 'Give it to the model' }).click();
    await page.getByRole('log').getByText('It is on.').waitFor();
    expect(bodies[0]!.tools).toHaveLength(1);
    expect(bodies[1]!.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
    expect(bodies[1]!.messages[2]).toMatchObject({ content: 'done', tool_call_id: 'call_1' });
    await opened.close();
  });

  it('gives the request to other programs, and takes decisions', async () => {
    const opened = await stage.open('playground', { width: widths.phone });
    const { page } = opened;
    await page.getByRole('tab', { name: 'As code' }).click();
    for (const language of ['curl', 'JavaScript', 'Python']) {
      await page.getByLabel('Language').selectOption({ label: language });
      expect(await page.getByRole('region', { name: language, exact: true }).innerText()).toContain(
        stage.server.baseUrl,
      );
    }
    await opened.check();
    await page.getByRole('tab', { name: 'Decisions' }).click();
    await page.getByRole('button', { name: 'Decide' }).click();
    // The built-in model is too small for some: then it says so, in its words.
    await page.getByRole('region', { name: 'Decision' }).or(page.getByText('could not be read for this')).waitFor();
    await opened.check();
    await opened.close();
  });
});
