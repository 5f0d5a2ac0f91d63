import type { Failure } from '../api/failure.ts';
import { Button } from './button.tsx';
import { FailureNotice } from './notice.tsx';

/** A failure with the button that tries again; nothing where there is none. */
export function RetryNotice({
  title,
  failure,
  onRetry,
}: {
  title: string;
  failure: Failure | null;
  onRetry: () => unknown;
}) {
  return (
    failure && (
      <FailureNotice title={title} failure={failure}>
        <Button icon="reload" onPress={onRetry}>
          Try again
        </Button>
      </FailureNotice>
    )
  );
}
