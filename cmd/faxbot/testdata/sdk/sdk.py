"""What Faxbot's Python SDK asks of a daemon, asked with the same library.

usage: sdk.py URL KEY FILE.pdf
"""
import sys
import time

import requests

url, key, pdf = sys.argv[1:]
headers = {"X-API-Key": key}


def send(to, content, name="letter.pdf", kind="application/pdf", headers=headers):
    return requests.post(f"{url}/fax", data={"to": to}, files={"file": (name, content, kind)}, headers=headers, timeout=30)


def chunks(boundary, to, content):
    """A form of unknown length, which requests sends chunked."""
    yield f'--{boundary}\r\nContent-Disposition: form-data; name="to"\r\n\r\n{to}\r\n'.encode()
    yield f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="l.pdf"\r\n\r\n'.encode()
    for at in range(0, len(content), 1000):
        yield content[at:at + 1000]
    yield f"\r\n--{boundary}--\r\n".encode()


def refused(answer, status):
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert isinstance(answer.json()["detail"], str), answer.text


health = requests.get(f"{url}/health", timeout=5)
assert health.status_code == 200 and health.json()["status"] == "ok"
refused(requests.get(f"{url}/plugins", headers=headers, timeout=5), 404)

with open(pdf, "rb") as file:
    answers = [send("+15551230211", file)]
with open(pdf, "rb") as file:
    content = file.read()
kind = {"Content-Type": "multipart/form-data; boundary=xyz", **headers}
answers.append(requests.post(f"{url}/fax", data=chunks("xyz", "+15551230212", content), headers=kind, timeout=30))
answers.append(send("(555) 123-0213", "Grüße\n".encode(), "brief.txt", "text/plain"))
for answer in answers:
    assert answer.status_code == 202, (answer.status_code, answer.text)
    job = answer.json()
    assert len(job["id"]) == 32 and job["status"] == "queued" and job["backend"] == "freeswitch", job
    late = time.monotonic() + 60
    while job["status"] != "SUCCESS":
        assert job["status"] in ("queued", "in_progress") and time.monotonic() < late, job
        time.sleep(0.05)
        answer = requests.get(f"{url}/fax/{job['id']}", headers=headers, timeout=15)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        job = answer.json()

refused(send("12", content), 400)
refused(send("+15551230214", content, headers={"X-API-Key": "wrong"}), 401)
refused(send("+15551230214", content, headers={}), 401)
refused(send("+15551230214", b"\x7fELF\x02\x01\x01\x00"), 415)
refused(send("+15551230214", b"a\n" * (6 << 20), "long.txt", "text/plain"), 413)
refused(requests.get(f"{url}/fax/{'0' * 32}", headers=headers, timeout=15), 404)
print("ok", requests.__version__)
