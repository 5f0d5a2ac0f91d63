/**
 * Control tokens that end an assistant's turn. A file should name its own, and many name only one of several: a GLM
 * whose file forgets `<|observation|>` would go on and write the result of its own call.
 */
const turnEnds = [
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<end_of_turn>',
  '<turn|>',
  '<|tool_response>',
  '<|user|>',
  '<|observation|>',
  // gpt-oss and Muse Glimmer; their `<|end|>` and `<|eom|>` end a message, not a turn.
  '<|call|>',
  '<|return|>',
  '<|eot|>',
  '<|end_of_msg|>',
  '<|END_OF_TURN_TOKEN|>',
  '<|assistant_end|>',
  '[e~[',
  '<|end_of_text|>',
  '<|endoftext|>',
  '<｜end▁of▁sentence｜>',
  '</s>',
];

/** Texts of control tokens that end an answer by the template, beside those that the file names. */
export function turnEndTexts(templateSource: string, controlTexts: readonly string[]): string[] {
  return turnEnds.filter((text) => templateSource.includes(text) && controlTexts.includes(text));
}
