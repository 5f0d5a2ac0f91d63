/** What templates write or ask for that let a model think before it answers. */
const signs =
  /<\/?(?:think|(?:seed|mm):think)>|\[\/?THINK\]|<\|channel\|?>|<\|(?:START_THINKING|inner_prefix)\|>|to=self<\|message\|>|enable_thinking|reasoning_(?:content|effort)|my reasoning steps/;

/** Whether a chat template has a place for reasoning. */
export const hasReasoning = (template: string): boolean => signs.test(template);
