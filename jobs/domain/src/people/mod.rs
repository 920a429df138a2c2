//! The people a tenant writes down who are not patients: the practitioners of a practice, the employees of a company. Owns who
//! treats and who works there; never who signs in.

mod employee;
mod employee_import;
mod employee_list;
mod practitioner;

pub use employee::{
    ChangeEmployee, Employee, NameSelf, NewEmployee, add_employee, get_employee, get_employee_as, name_self,
    set_active, update_employee,
};
pub use employee_import::{EmployeeFault, EmployeeImport, import_employees};
pub use employee_list::{EmployeeList, EmployeeQuery, ListedEmployee, list_employees};
pub use practitioner::{NewPractitioner, Practitioner, add, delete, get, list, update};
