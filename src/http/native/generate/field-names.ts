import { type FieldNames, sharedNames } from '../../fields/field-names.ts';

/** What a generation calls the fields of the core, over HTTP and on the WebSocket. */
export const generateNames: FieldNames = { ...sharedNames, 'input.*': 'prompt' };
