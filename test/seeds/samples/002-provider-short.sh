curl -X POST http://localhost:8000/api/v1/generate \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key" \
  -H "X-Provider: openai" \
  -H "X-Model: gpt-4o" \
  -d '{"prompt": "Explain AI", "max_tokens": 500}'
