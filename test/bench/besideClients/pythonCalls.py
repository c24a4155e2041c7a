"""Asks a proxy for everything once, by OpenAI's SDK for Python or by LiteLLM's own; prints what it got as one JSON object.

Arguments: the client (Python or LiteLLM-SDK), base URL, key, model.
"""

import json
import sys

client_name, base_url, key, model = sys.argv[1:5]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "description": "The weather of a city.", "parameters": CITY},
    }
]
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

if client_name == "Python":
    import openai
    from openai import APIError

    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    create = client.chat.completions.create
    wrong = openai.OpenAI(base_url=base_url, api_key="sk-wrong", max_retries=0).chat.completions.create

    def named(name):
        return name
else:
    import litellm
    from openai import APIError

    litellm.suppress_debug_info = True

    def create(**asked):
        return litellm.completion(api_base=base_url, max_retries=0, num_retries=0, **{"api_key": key, **asked})

    def wrong(**asked):
        return create(api_key="sk-wrong", **asked)

    def named(name):
        return f"openai/{name}"


def says(call, text="Say hello."):
    return {
        "model": named(model),
        "messages": [{"role": "user", "content": f"[{client_name}/{call}] {text}"}],
    }


def text_of(reply):
    return f"“{reply.choices[0].message.content or ''}”"


def tokens(usage):
    return f"{usage.prompt_tokens}+{usage.completion_tokens} tokens" if usage else "no usage"


def whole(reply):
    return f"{text_of(reply)} {reply.choices[0].finish_reason}, {tokens(reply.usage)}"


def call_of(reply):
    calls = reply.choices[0].message.tool_calls
    if not calls:
        return "no call"
    return f"{calls[0].function.name}({calls[0].function.arguments}), {reply.choices[0].finish_reason}"


def tool_result():
    asked = says("toolResult")
    said = create(**asked, tools=TOOLS).choices[0].message
    result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "Rain."}
    after = {**asked, "messages": [*asked["messages"], said, result]}
    return text_of(create(**after, tools=TOOLS))


def stream():
    chunks = list(create(**says("stream"), stream=True))
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    ends = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    pieces = "in pieces" if len(texts) > 1 else "in one piece"
    return f"“{''.join(texts)}” {pieces}, {','.join(ends)}"


def stream_usage():
    chunks = list(create(**says("streamUsage"), stream=True, stream_options={"include_usage": True}))
    told = [c.usage for c in chunks if getattr(c, "usage", None)]
    return tokens(told[-1]) if told else "none"


def image():
    text = says("image", "What is this?")["messages"][0]["content"]
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    return text_of(create(model=named(model), messages=[{"role": "user", "content": parts}]))


SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": CITY}}
SYSTEM = {"role": "system", "content": "Be brief."}

made = {
    "plain": lambda: whole(create(**says("plain"))),
    "instructions": lambda: text_of(
        create(model=named(model), messages=[SYSTEM, *says("instructions")["messages"]])
    ),
    "sampling": lambda: text_of(create(**says("sampling"), temperature=0.5, top_p=0.9, max_tokens=77)),
    "seed": lambda: text_of(create(**says("seed"), seed=7)),
    "stop": lambda: text_of(create(**says("stop"), stop=["END"])),
    "several": lambda: f"{len(create(**says('several'), n=2).choices)} of them",
    "image": image,
    "json": lambda: text_of(create(**says("json"), response_format={"type": "json_object"})),
    "schema": lambda: text_of(create(**says("schema"), response_format=SCHEMA)),
    "tools": lambda: call_of(create(**says("tools"), tools=TOOLS)),
    "toolResult": tool_result,
    "stream": stream,
    "streamUsage": stream_usage,
    "unknownModel": lambda: text_of(create(**{**says("unknownModel"), "model": named("gpt-0")})),
    "wrongKey": lambda: text_of(wrong(**says("wrongKey"))),
    "limited": lambda: text_of(create(**says("limited"))),
    "broken": lambda: text_of(create(**says("broken"))),
}

if client_name == "Python":

    def responses():
        reply = client.responses.create(model=model, input="[Python/responses] Say hello.")
        used = f"{reply.usage.input_tokens}+{reply.usage.output_tokens} tokens"
        return f"“{reply.output_text}” {reply.status}, {used}"

    def responses_stream():
        asked = {"model": model, "input": "[Python/responsesStream] Say hello."}
        events = list(client.responses.create(**asked, stream=True))
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        return f"“{text}”, ends with {events[-1].type}"

    made |= {
        "models": lambda: ", ".join(one.id for one in client.models.list()),
        "model": lambda: client.models.retrieve(model).id,
        "auto": lambda: text_of(create(**{**says("auto"), "model": "auto"})),
        "noMessages": lambda: text_of(create(model=model, messages=[])),
        "responses": responses,
        "responsesStream": responses_stream,
    }

got = {}
for call, make in made.items():
    try:
        got[call] = {"kind": "answer", "text": make()}
    except APIError as error:
        status = getattr(error, "status_code", None)
        body = getattr(error, "body", None)
        words = body.get("message") if isinstance(body, dict) else None
        got[call] = {
            "kind": "error",
            "type": type(error).__name__,
            "status": int(status) if status else None,
            "message": words or str(error),
        }
print(json.dumps(got))
