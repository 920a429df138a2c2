//! Employees from a CSV file: each line brings one in or is told with what is wrong with it. The file is small and read whole.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::employee::{NewEmployee, allowed, insert};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{EmailAddress, Label, PersonName},
    ids::UserId,
    inventory::import::file_text,
    tenants::{self, CompanyDomain},
};

/// Most lines of a file, its header left out.
const MOST_LINES: usize = 1_000;
/// The columns, in the order in which they are expected; a file may have them in another.
const COLUMNS: [&str; 5] = ["email", "firstName", "lastName", "department", "position"];

/// A line that brought nobody in.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmployeeFault {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// Everything that is wrong with it; `field` is the column.
    pub errors: Vec<Problem>,
}

/// What became of a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmployeeImport {
    /// Lines that were read.
    pub lines: usize,
    /// Employees who were brought in and are invited.
    pub imported: usize,
    /// Lines that brought nobody in.
    pub failed: usize,
    /// The employees, in the order of their lines.
    pub employees: Vec<UserId>,
    /// The other lines.
    pub faults: Vec<EmployeeFault>,
}

/// Brings in the employees of a file. A sound line counts whatever the others hold; sent again, those who are there already
/// are told as such.
pub async fn import_employees(tx: &mut TenantTx, file: &[u8]) -> Result<EmployeeImport> {
    let domains = tenants::require_active(tx).await?;
    let (lines, mut faults) = read(&file_text(file), &domains)?;
    let total = lines.len() + faults.len();
    let mut employees = Vec::new();
    for (line, new) in lines {
        match insert(tx, &new).await {
            Ok(id) => employees.push(id),
            // Refused before anything was written for this line: the transaction goes on.
            Err(Error::Conflict { code: "already_member", .. }) => {
                let expected = "an address that belongs to no member yet";
                let problem = Problem::new("email", "already_member", expected).read(new.email.as_str());
                faults.push(EmployeeFault { line, errors: vec![problem] });
            }
            Err(error) => return Err(error),
        }
    }
    faults.sort_by_key(|fault| fault.line);
    audit::record(tx, "employee.import", "employee", tx.tenant().0).await?;
    Ok(EmployeeImport { lines: total, imported: employees.len(), failed: faults.len(), employees, faults })
}

type Lines = (Vec<(u64, NewEmployee)>, Vec<EmployeeFault>);

/// The sound lines and the others.
fn read(text: &str, domains: &[CompanyDomain]) -> Result<Lines> {
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.matches(';').count() > first.matches(',').count() { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let places = places(reader.headers().map_err(|_| unreadable())?)?;
    let (mut lines, mut faults, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for record in reader.records() {
        let record = record.map_err(|_| unreadable())?;
        if lines.len() + faults.len() == MOST_LINES {
            let expected = format!("at most {MOST_LINES} lines after the header");
            return Err(Error::invalid("body", "too_many_lines", expected));
        }
        let line = record.position().map_or(0, csv::Position::line);
        match employee(&record, places, domains) {
            Ok(new) if !seen.insert(new.email.as_str().to_owned()) => {
                let problem = Problem::new("email", "repeated", "each address once").read(new.email.as_str());
                faults.push(EmployeeFault { line, errors: vec![problem] });
            }
            Ok(new) => lines.push((line, new)),
            Err(errors) => faults.push(EmployeeFault { line, errors }),
        }
    }
    Ok((lines, faults))
}

fn unreadable() -> Error {
    Error::invalid("body", "not_csv", format!("a CSV file that begins with {}", COLUMNS.join(",")))
}

/// Where each column stands.
fn places(headers: &csv::StringRecord) -> Result<[usize; 5]> {
    let mut problems = Vec::new();
    let places = COLUMNS.map(|column| {
        let place = headers.iter().position(|header| header.trim().eq_ignore_ascii_case(column));
        place.unwrap_or_else(|| {
            problems.push(Problem::new(column, "missing", "a column of this name in the first line"));
            0
        })
    });
    if problems.is_empty() { Ok(places) } else { Err(Invalid(problems).into()) }
}

/// The employee of a line, or everything that is wrong with it.
fn employee(
    record: &csv::StringRecord,
    places: [usize; 5],
    domains: &[CompanyDomain],
) -> Result<NewEmployee, Vec<Problem>> {
    let cell = |column: usize| record.get(places[column]).unwrap_or_default().trim();
    let mut problems = Vec::new();
    let mut at = |column: usize, problem: Problem| {
        problems.push(Problem { field: COLUMNS[column].to_owned(), ..problem });
    };
    let email = EmailAddress::parse(cell(0)).and_then(|email| allowed(domains, &email).map(|()| email));
    let email = email.map_err(|problem| at(0, problem)).ok();
    let first_name = PersonName::parse(cell(1)).map_err(|problem| at(1, problem)).ok();
    let last_name = PersonName::parse(cell(2)).map_err(|problem| at(2, problem)).ok();
    let mut label = |column: usize| {
        let text = cell(column);
        let read = (!text.is_empty()).then(|| Label::parse(text)).transpose();
        read.map_err(|problem| at(column, problem)).ok().flatten()
    };
    let (department, position) = (label(3), label(4));
    match (email, first_name, last_name) {
        (Some(email), Some(first_name), Some(last_name)) if problems.is_empty() => {
            Ok(NewEmployee { email, first_name, last_name, department, position })
        }
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_lines_are_read_and_each_fault_has_its_line_and_column() {
        let domains = [CompanyDomain::parse("techcorp.fr").unwrap()];
        let file = "email,firstName,lastName,department,position\n\
                    marc@techcorp.fr,Marc,Dupont,Développement,Ingénieur\n\
                    claire@elsewhere.fr,,Laurent,Marketing,\n\
                    MARC@techcorp.fr,Marc,Dupont,,\n";
        let (lines, faults) = read(file, &domains).unwrap();
        assert_eq!((lines.len(), lines[0].0), (1, 2));
        assert_eq!(lines[0].1.department.as_ref().map(Label::as_str), Some("Développement"));
        let told: Vec<_> =
            faults.iter().flat_map(|f| f.errors.iter().map(|e| (f.line, e.field.as_str(), e.code))).collect();
        assert_eq!(
            told,
            [(3, "email", "domain_not_allowed"), (3, "firstName", "not_a_text"), (4, "email", "repeated")]
        );
    }

    #[test]
    fn a_header_that_lacks_columns_is_refused_whole() {
        let Err(Error::Invalid(Invalid(problems))) = read("email;nom\n", &[]) else { panic!("it was read") };
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["firstName", "lastName", "department", "position"]);
    }
}
