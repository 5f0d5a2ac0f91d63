/**
 * What is done again and again, whose failure is told once until it succeeds: who has no database for a night must find more in
 * the log than that. What is returned never rejects.
 */
export function toldOnce(act: () => Promise<unknown>, tell: (error: unknown) => void): () => Promise<void> {
  let isTold = false;
  return () =>
    act().then(
      () => {
        isTold = false;
      },
      (error: unknown) => {
        if (!isTold) tell(error);
        isTold = true;
      },
    );
}
