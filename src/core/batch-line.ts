/** One request as the batches of a service take it. */
export interface WordedRequest {
  /** Requests that may stand in one batch have the same: address, headers, and the model where a batch has but one. */
  group: string;
  /** Where it would be sent to by itself, under the base address: `/v1/messages`. */
  path: string;
  /** What goes with it: of all requests of a group the same. */
  headers: Readonly<Record<string, string>>;
  /** Servers of Hearth that it came through; of all requests of a group the same. */
  hops: readonly string[];
  /** JSON. */
  body: string;
}

/** A worded request with an id that is unique in its batch, `[A-Za-z0-9_-]{1,64}`. */
export interface BatchLine {
  customId: string;
  request: WordedRequest;
}

/** What came of one request of a batch. */
export type BatchLineResult =
  /** As it would have been answered by itself. */
  | { customId: string; type: 'answered'; answer: BatchLineAnswer }
  /** The service did not come to it. */
  | { customId: string; type: 'canceled' | 'expired' };

/** An answer as it would have come over the wire; `body`: JSON. */
export interface BatchLineAnswer {
  status: number;
  /** In lower case. */
  headers: Readonly<Record<string, string>>;
  body: string;
}
