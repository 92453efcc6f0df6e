# SPDX-License-Identifier: Apache-2.0
"""An answer of which only judged text is shown; where something is blocked, the model writes on from there."""

import asyncio

import qwen3guard
from qwen3guard import HoldBackState

GOOD = "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. "
BAD = "Only an ugly idiot like you would ask, nobody likes you, burn in hell. "


async def model(shown: str, n_tries: int):  # stands for a language model, which goes on from what was shown
    answer = GOOD + BAD * 2 if n_tries == 1 else GOOD * 2
    for word in answer[len(shown):].split(" "):
        await asyncio.sleep(0)
        yield word + " "


async def main() -> None:
    with qwen3guard.Guard.embedded("nano-stream") as guard, qwen3guard.Stream(guard) as stream:
        await stream.apush_prompt("Hello!")
        with qwen3guard.HoldBack(stream, buffer_tokens=16) as hold:
            shown, n_tries = "", 0
            while True:
                n_tries += 1
                async for text in hold.ashow(model(shown, n_tries)):
                    print(text, end="", flush=True)
                    shown += text
                block = hold.last.block  # None: the answer has ended
                if block is None or block.retries_left == 0:
                    break
                print(f"[held back: {block.decision.ruling.category}]", end=" ")
                hold.retry()
            if hold.last.state == HoldBackState.BLOCKED:
                hold.withdraw()
            print(f"\n{hold.stats.withdrawn_tokens} tokens were held back")


asyncio.run(main())
