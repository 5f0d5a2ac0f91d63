/** The message that a strict client makes of a stream: it throws for whatever is out of order. */
export function accumulate(text: string): unknown {
  // biome-ignore lint/suspicious/noExplicitAny: events as they are on the wire
  let message: any = null;
  let open: number | null = null;
  let json = '';
  let stopped = false;
  for (const record of text.split('\n\n').filter((part) => part !== '')) {
    const [first = '', second = ''] = record.split('\n');
    const event = JSON.parse(second.slice('data: '.length));
    if (first !== `event: ${event.type}`) throw new Error(`${first} is not ${event.type}`);
    if (stopped) throw new Error(`${event.type} after the end`);
    const block = open === null ? null : message.content[open];
    switch (event.type) {
      case 'ping':
        break;
      case 'message_start':
        if (message !== null) throw new Error('a second message_start');
        message = structuredClone(event.message);
        break;
      case 'content_block_start':
        if (open !== null || event.index !== message.content.length) throw new Error(`block ${event.index}`);
        open = event.index;
        json = '';
        message.content.push(structuredClone(event.content_block));
        break;
      case 'content_block_delta':
        if (event.index !== open) throw new Error(`a delta of block ${event.index}`);
        if (event.delta.type === 'text_delta') block.text += event.delta.text;
        else if (event.delta.type === 'thinking_delta') block.thinking += event.delta.thinking;
        else if (event.delta.type === 'signature_delta') block.signature = event.delta.signature;
        else if (event.delta.type === 'citations_delta')
          block.citations = [...(block.citations ?? []), event.delta.citation];
        else if (event.delta.type === 'input_json_delta') json += event.delta.partial_json;
        else throw new Error(event.delta.type);
        break;
      case 'content_block_stop':
        if (event.index !== open) throw new Error(`the end of block ${event.index}`);
        if (json !== '') block.input = JSON.parse(json);
        open = null;
        break;
      case 'message_delta':
        if (open !== null) throw new Error('a block is open');
        Object.assign(message, event.delta);
        Object.assign(message.usage, event.usage);
        if (event.context_management) message.context_management = event.context_management;
        break;
      case 'message_stop':
        stopped = true;
        break;
      default:
        throw new Error(event.type);
    }
  }
  if (!stopped) throw new Error('no message_stop');
  return message;
}
