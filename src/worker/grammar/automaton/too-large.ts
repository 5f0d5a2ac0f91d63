/** What a machine has to tell apart is over its limits; whoever asked knows which keywords it came from. */
export class TooLargeError extends Error {
  constructor() {
    super('too many states');
  }
}
