curl -X POST http://localhost:8000/api/v1/generate \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key" \
  -H "X-Failover-Chain: premium" \
  -d '{
    "prompt": "Write professional documentation",
    "max_tokens": 1000
  }'
