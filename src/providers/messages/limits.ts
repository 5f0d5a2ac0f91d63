/** What a prompt of Claude may come to with the beta flag for long ones, whatever its table says. Source: docs of Anthropic, 2026-11. */
export const longContextTokens = 1_000_000;
