curl -X POST http://localhost:8000/api/v1/generate \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key" \
  -d '{
    "prompt": "Write a haiku about coding",
    "max_tokens": 100,
    "temperature": 0.7
  }'
