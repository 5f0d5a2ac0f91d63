/** Kinds of failures by the names that Python and Jinja2 give them. */
export type JinjaErrorKind =
  | 'TemplateSyntaxError'
  | 'TemplateError'
  | 'TemplateRuntimeError'
  | 'UndefinedError'
  | 'SecurityError'
  | 'FilterArgumentError'
  | 'TypeError'
  | 'ValueError'
  | 'IndexError'
  | 'KeyError'
  | 'OverflowError'
  | 'ZeroDivisionError'
  | 'RecursionError'
  | 'BudgetError';

/**
 * A template that cannot be read or does not render. `kind` is `TemplateError` for the template's own words
 * (`raise_exception`) and `BudgetError` where it wants more than it may have.
 */
export class JinjaError extends Error {
  readonly kind: JinjaErrorKind;

  constructor(kind: JinjaErrorKind, message: string) {
    super(message);
    this.name = 'JinjaError';
    this.kind = kind;
  }
}

export const typeError = (message: string) => new JinjaError('TypeError', message);
export const valueError = (message: string) => new JinjaError('ValueError', message);

/** True for what subscription answers with `undefined` instead of failing. */
export const isLookupError = (error: unknown): boolean =>
  error instanceof JinjaError && ['TypeError', 'IndexError', 'KeyError'].includes(error.kind);
