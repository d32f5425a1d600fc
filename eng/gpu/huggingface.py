#!/usr/bin/env python3
"""Hugging Face's generate on the same checkpoints and shapes as our engine: tokens per second while decoding.

    huggingface.py --device cuda --json FILE --positions 512 --sessions 1 32 256 --tokens 16 CHECKPOINT [CHECKPOINT ...]

A prompt of position - tokens / 2 random tokens, the same for all rows, is generated from once with one new token and once with all;
the difference is what the further tokens took. The file is written again after each measurement. Exits with 3 where
transformers is not installed.
"""
import argparse
import json
import os
import statistics
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", required=True)
    parser.add_argument("--positions", type=int, nargs="+", default=[512])
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def main():
    args = arguments()
    try:
        import torch
        import transformers
        from transformers import ImageGPTForCausalImageModeling
    except ImportError as error:
        print(f"not run: this python3 ({sys.executable}) cannot import what it needs: {error}")
        return 3
    transformers.logging.set_verbosity_error()
    report = {"transformers": transformers.__version__, "torch": torch.__version__, "device": args.device, "dtype": "bfloat16", "results": []}

    def finish():
        if args.device == "cuda":
            torch.cuda.synchronize()

    def seconds(model, prompt, new_tokens):
        finish()
        start = time.perf_counter()
        output = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=True, top_k=0, use_cache=True, pad_token_id=0)
        finish()
        assert output.shape[1] == prompt.shape[1] + new_tokens, output.shape
        return time.perf_counter() - start

    def measure(model, position, sessions):
        length = max(1, min(position - args.tokens // 2, model.config.n_positions - args.tokens))
        generator = torch.Generator().manual_seed(0)
        prompt = torch.randint(0, model.config.vocab_size - 1, (1, length), generator=generator).repeat(sessions, 1).to(args.device)
        seconds(model, prompt, 2)  # to warm up
        first = statistics.median(seconds(model, prompt, 1) for _ in range(args.rounds))
        whole = statistics.median(seconds(model, prompt, args.tokens) for _ in range(args.rounds))
        step = (whole - first) / (args.tokens - 1)
        return {"position": position, "sessions": sessions, "prefill_ms": 1000 * first, "step_ms": 1000 * step, "tokens_per_second": sessions / step}

    def write():
        with open(args.json + ".tmp", "w") as file:
            json.dump(report, file, indent=2)
        os.replace(args.json + ".tmp", args.json)

    for checkpoint in args.checkpoints:
        start = time.perf_counter()
        model = ImageGPTForCausalImageModeling.from_pretrained(checkpoint, dtype=torch.bfloat16).to(args.device).eval()
        finish()
        print(f"{checkpoint}: loaded in {time.perf_counter() - start:.1f} s", flush=True)
        for position in args.positions:
            for sessions in args.sessions:
                entry = {"model": os.path.basename(os.path.normpath(checkpoint))}
                try:
                    entry |= measure(model, position, sessions)
                    print(f"  {sessions} at {position}: {entry['tokens_per_second']:.1f} tokens/s, {entry['step_ms']:.2f} ms a step", flush=True)
                except torch.cuda.OutOfMemoryError as error:
                    entry |= {"position": position, "sessions": sessions, "error": str(error).splitlines()[0]}
                    print(f"  {sessions} at {position}: {entry['error']}", flush=True)
                report["results"].append(entry)
                write()
        del model
        if args.device == "cuda":
            torch.cuda.empty_cache()
    return 0


sys.exit(main())
