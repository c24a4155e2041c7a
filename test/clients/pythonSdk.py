"""Asks the router by OpenAI's own SDK; prints what it got as one JSON object. Arguments: base URL, token."""

import json
import sys

import openai

base_url, token = sys.argv[1:3]
client = openai.OpenAI(base_url=base_url, api_key=token)
got = {}

raw = client.chat.completions.with_raw_response.create(
    model="auto", messages=[{"role": "user", "content": "Say hello."}]
)
reply = raw.parse()
got["chat"] = reply.choices[0].message.content
got["headers"] = {name: value for name, value in raw.headers.items() if name.startswith("x-router-")}
got["tokens"] = reply.usage.total_tokens

chunks = list(
    client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Say hello."}],
        stream=True,
        stream_options={"include_usage": True},
    )
)
got["stream"] = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
got["stream_tokens"] = chunks[-1].usage.total_tokens
got["stream_router"] = next(c.router for c in chunks if getattr(c, "router", None))

tools = [
    {
        "type": "function",
        "function": {
            "name": "read_file",
            "description": "Reads a file.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
        },
    }
]
messages = [{"role": "user", "content": "Read a.ts."}]
first = client.chat.completions.create(model="auto", messages=messages, tools=tools)
call = first.choices[0].message.tool_calls[0]
got["call"] = [call.function.name, json.loads(call.function.arguments)]
messages += [
    first.choices[0].message,
    {"role": "tool", "tool_call_id": call.id, "content": "const a = 1;"},
]
second = client.chat.completions.create(model="auto", messages=messages, tools=tools)
got["after_tool"] = second.choices[0].message.content

response = client.responses.create(model="auto", input="Say hello.")
got["response"] = response.output_text
events = list(client.responses.create(model="auto", input="Say hello.", stream=True))
got["response_stream"] = "".join(e.delta for e in events if e.type == "response.output_text.delta")
got["response_end"] = events[-1].type

got["models"] = [model.id for model in client.models.list()]
try:
    client.chat.completions.create(model="gpt-0", messages=[{"role": "user", "content": "Hi"}])
except openai.NotFoundError as error:
    got["not_found"] = error.code
try:
    openai.OpenAI(base_url=base_url, api_key="wrong").models.list()
except openai.AuthenticationError as error:
    got["wrong_key"] = error.status_code

print(json.dumps(got))
