curl -X POST http://localhost:8000/api/v1/generate/stream \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key" \
  -N \
  -d '{
    "prompt": "Write a story about a robot",
    "max_tokens": 500
  }'
