import httpx

response = httpx.post(
    "http://localhost:8000/v1/chat/completions",
    json={
        "model": "claude-sonnet-4.5",
        "messages": [
            {"role": "user", "content": "Hello!"}
        ]
    }
)
print(response.json())
