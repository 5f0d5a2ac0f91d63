import httpx

class ChimeraClient:
    def __init__(self, base_url: str, api_key: str):
        self.base_url = base_url
        self.api_key = api_key
        self.client = httpx.AsyncClient(
            base_url=base_url,
            headers={"X-API-Key": api_key}
        )
    
    async def generate(
        self,
        prompt: str,
        provider: str = None,
        model: str = None,
        **kwargs
    ):
        headers = {}
        if provider:
            headers["X-Provider"] = provider
        if model:
            headers["X-Model"] = model
        
        response = await self.client.post(
            "/api/v1/generate",
            json={"prompt": prompt, **kwargs},
            headers=headers
        )
        response.raise_for_status()
        return response.json()
    
    async def stream_generate(self, prompt: str, **kwargs):
        async with self.client.stream(
            "POST",
            "/api/v1/generate/stream",
            json={"prompt": prompt, **kwargs}
        ) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield line[6:]

# Usage
async def main():
    client = ChimeraClient(
        "http://localhost:8000",
        "your-api-key"
    )
    
    # Simple generation
    result = await client.generate(
        "Write a haiku about coding",
        temperature=0.7
    )
    print(result["text"])
    
    # With specific provider
    result = await client.generate(
        "Explain quantum physics",
        provider="openai",
        model="gpt-4o",
        max_tokens=500
    )
    print(result["text"])
    
    # Streaming
    async for chunk in client.stream_generate("Write a story"):
        print(chunk, end="", flush=True)
