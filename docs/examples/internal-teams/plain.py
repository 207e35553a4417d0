import asyncio
import json
import os
import sys
from pathlib import Path

import nats
from nats.errors import TimeoutError as NothingThere
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

DURABLE = os.environ.get("DURABLE", "billing-outages")
STATE = Path(os.environ.get("STATE", "position.txt"))


async def durable(js, done: int):
    try:
        await js.consumer_info("EVENTS", DURABLE)
    except NotFoundError:
        await js.add_consumer(
            "EVENTS",
            ConsumerConfig(
                durable_name=DURABLE,
                filter_subjects=["tocsin.events.*.offline.*", "tocsin.events.*.online.*"],
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=30,
                max_ack_pending=1,  # one at a time: what fails is delivered again before anything younger
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=done + 1,  # sequence ≡ position, also in a stream that was made anew
            ),
        )
    return await js.pull_subscribe_bind(durable=DURABLE, stream="EVENTS")


async def main() -> None:
    connection = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1)
    js = connection.jetstream()
    # How far the work is done. Keep it where the work goes, written in the same transaction; a file stands for that here.
    done = int(STATE.read_text()) if STATE.exists() else 0
    subscription = None
    while True:
        try:
            subscription = subscription or await durable(js, done)
            [message] = await subscription.fetch(1, timeout=5)
            event = json.loads(message.data)
            if event["position"] > done:
                print(event["position"], event["type"], event["subject"], flush=True)  # your work
                done = event["position"]
                STATE.write_text(str(done))
            await message.ack()
        except NothingThere:
            subscription = None  # nothing new, or the durable is gone: look
        except Exception as error:
            print(error, "- once more in a second", file=sys.stderr)
            subscription = None
            await asyncio.sleep(1)


asyncio.run(main())
