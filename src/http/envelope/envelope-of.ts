/** An answer in its envelope. `latencyMs`: from its request on; `cost`: in USD; left out: nothing was answered. */
export function envelopeOf<Data>(data: Data, requestId: string, latencyMs: number, cost?: number | null) {
  return {
    success: true as const,
    data,
    metadata: {
      request_id: requestId,
      processing_time_ms: Math.round(latencyMs),
      ...(cost !== undefined && { cost }),
    },
  };
}
