//! The identities of the model: rows in vectors, searched from one end to the
//! other.

use repono_core::name::{AccountName, ApplicationName, ContainerName, UserName};
use repono_core::time::Timestamp;
use repono_store::error::{StoreError, Subject};
use repono_store::model::identity::{
    AccessChange, AccountRow, ApplicationRow, Audit, ChangeOutcome, GroupRow, IdentityChange,
    IdentitySnapshot, KeyRow, PolicyAttachment, PolicyRow, RevokedSalt, SecretHash, SecretSnapshot, Standing,
    StoredSecret, UserRow,
};

use super::{AccountState, State, merge};

type Secret<T> = (T, SecretHash);

/// Everything but the accounts.
#[derive(Default)]
pub(super) struct Identities {
    changes: u64,
    users: Vec<Secret<UserRow>>,
    applications: Vec<Secret<ApplicationRow>>,
    groups: Vec<GroupRow>,
    policies: Vec<PolicyRow>,
    keys: Vec<KeyRow>,
    revoked: Vec<RevokedSalt>,
    pub(super) audit: Vec<Audit>,
    numbers: Numbers,
}

/// The last number given out, of each kind.
#[derive(Default)]
struct Numbers {
    account: u32,
    user: u32,
    application: u32,
    group: u32,
    policy: u32,
}

fn next(number: &mut u32) -> u32 {
    *number += 1;
    *number
}

impl Identities {
    pub(super) fn epoch(&self) -> u64 {
        self.changes + 1
    }

    pub(super) fn secrets(&self) -> SecretSnapshot {
        SecretSnapshot {
            epoch: self.epoch(),
            users: self.users.iter().map(|(user, hash)| (user.id, hash.clone())).collect(),
            applications: self.applications.iter().map(|(row, hash)| (row.id, hash.clone())).collect(),
        }
    }

    pub(super) fn secret_of_user(&self, account: &AccountName, name: &UserName) -> Option<StoredSecret> {
        let (user, hash) =
            self.users.iter().find(|(user, _)| user.account == *account && user.name == *name)?;
        let (id, application_id, standing) = (user.id, user.application_id, user.standing);
        Some(StoredSecret { id, application_id, standing, hash: hash.clone() })
    }

    pub(super) fn secret_of_application(&self, name: &ApplicationName) -> Option<StoredSecret> {
        let (row, hash) = self.applications.iter().find(|(row, _)| row.name == *name)?;
        Some(StoredSecret { id: row.id, application_id: row.id, standing: row.standing, hash: hash.clone() })
    }

    /// Drops the policies of a container that is gone.
    pub(super) fn container_gone(&mut self, account: &AccountName, container: &ContainerName) {
        let gone = PolicyAttachment::Container(account.clone(), container.clone());
        let before = self.policies.len();
        self.policies.retain(|policy| policy.attachment != gone);
        if self.policies.len() < before {
            self.changes += 1;
        }
    }

    fn user(&mut self, account: &AccountName, name: &UserName) -> Result<&mut Secret<UserRow>, StoreError> {
        let found = self.users.iter_mut().find(|(user, _)| user.account == *account && user.name == *name);
        found.ok_or(StoreError::NoSuch(Subject::User))
    }

    fn application(&mut self, name: &ApplicationName) -> Result<&mut Secret<ApplicationRow>, StoreError> {
        let found = self.applications.iter_mut().find(|(row, _)| row.name == *name);
        found.ok_or(StoreError::NoSuch(Subject::Application))
    }

    fn group(&mut self, account: &AccountName, name: &str) -> Result<&mut GroupRow, StoreError> {
        let found = self.groups.iter_mut().find(|group| group.account == *account && group.name == name);
        found.ok_or(StoreError::NoSuch(Subject::Group))
    }

    fn drop_user(&mut self, id: u32) {
        self.users.retain(|(user, _)| user.id != id);
        self.groups.iter_mut().for_each(|group| group.members.retain(|member| *member != id));
        self.policies.retain(|policy| policy.attachment != PolicyAttachment::User(id));
    }

    fn drop_group(&mut self, id: u32) {
        self.groups.retain(|group| group.id != id);
        self.policies.retain(|policy| policy.attachment != PolicyAttachment::Group(id));
    }

    fn put_key(&mut self, key: KeyRow) {
        self.keys.retain(|there| (there.role, &there.id) != (key.role, &key.id));
        self.keys.push(key);
        self.keys.sort_by(|a, b| (a.role.as_str(), &a.id).cmp(&(b.role.as_str(), &b.id)));
    }

    fn revoke_salt(&mut self, salt: [u8; 16], until_s: u64, now: Timestamp) {
        self.revoked.retain(|revoked| revoked.until_s >= now.unix_seconds());
        match self.revoked.iter_mut().find(|revoked| revoked.salt == salt) {
            Some(there) => there.until_s = there.until_s.max(until_s),
            None => self.revoked.push(RevokedSalt { salt, until_s }),
        }
        self.revoked.sort_by_key(|revoked| revoked.salt);
    }
}

impl State {
    pub(super) fn identity(&self) -> IdentitySnapshot {
        let mut accounts: Vec<_> = self
            .accounts
            .iter()
            .map(|(name, state)| AccountRow { id: state.id, name: name.clone(), created: state.created })
            .collect();
        accounts.sort_by_key(|account| account.id);
        let all = &self.identities;
        IdentitySnapshot {
            epoch: all.epoch(),
            accounts,
            users: all.users.iter().map(|(user, _)| user.clone()).collect(),
            applications: all.applications.iter().map(|(row, _)| row.clone()).collect(),
            groups: all.groups.clone(),
            policies: all.policies.clone(),
            keys: all.keys.clone(),
            revoked_salts: all.revoked.clone(),
        }
    }

    pub(super) fn change_identity(
        &mut self,
        change: IdentityChange,
        by: Audit,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        let id = self.apply(change, now)?;
        self.identities.audit.push(by);
        self.identities.changes += 1;
        Ok(ChangeOutcome { id, epoch: self.identities.epoch() })
    }

    fn apply(&mut self, change: IdentityChange, now: Timestamp) -> Result<Option<u32>, StoreError> {
        use IdentityChange as C;

        Ok(match change {
            C::CreateAccount { name } => Some(self.create_account(name, now)?),
            C::DeleteAccount { name } => self.delete_account(&name)?,
            C::CreateUser { account, name, secret_hash, application } => {
                Some(self.create_user(account, name, secret_hash, &application)?)
            }
            C::SetUserStanding { account, name, standing } => {
                let (user, _) = self.existing_user(&account, &name)?;
                user.standing = standing;
                Some(user.id)
            }
            C::RotateUserSecret { account, name, secret_hash } => {
                let (user, hash) = self.existing_user(&account, &name)?;
                *hash = secret_hash;
                Some(user.id)
            }
            C::RevokeUser { account, name, at_s } => {
                let (user, _) = self.existing_user(&account, &name)?;
                user.revoked_before_s = Some(user.revoked_before_s.unwrap_or(0).max(at_s));
                Some(user.id)
            }
            C::DeleteUser { account, name } => {
                let id = self.existing_user(&account, &name)?.0.id;
                self.identities.drop_user(id);
                None
            }
            C::CreateApplication { name, secret_hash } => Some(self.create_application(name, secret_hash)?),
            C::SetApplicationStanding { name, standing } => {
                let (row, _) = self.identities.application(&name)?;
                row.standing = standing;
                Some(row.id)
            }
            C::RotateApplicationSecret { name, secret_hash } => {
                let (row, hash) = self.identities.application(&name)?;
                *hash = secret_hash;
                Some(row.id)
            }
            C::RevokeApplication { name, at_s } => {
                let (row, _) = self.identities.application(&name)?;
                row.revoked_before_s = Some(row.revoked_before_s.unwrap_or(0).max(at_s));
                Some(row.id)
            }
            C::DeleteApplication { name } => self.delete_application(&name)?,
            C::CreateGroup { account, name } => Some(self.create_group(account, name)?),
            C::DeleteGroup { account, name } => {
                self.account(&account)?;
                let id = self.identities.group(&account, &name)?.id;
                self.identities.drop_group(id);
                None
            }
            C::AddMember { account, group, user } => Some(self.add_member(&account, &group, &user)?),
            C::RemoveMember { account, group, user } => Some(self.remove_member(&account, &group, &user)?),
            C::PutPolicy { owner, name, attachment, json } => {
                Some(self.put_policy(owner, name, attachment, json)?)
            }
            C::DeletePolicy { owner, name } => self.delete_policy(&owner, &name)?,
            C::ChangeAccess(change) => self.change_access(change)?,
            C::PutKey(key) => {
                self.identities.put_key(key);
                None
            }
            C::PutKeys(keys) => {
                keys.into_iter().for_each(|key| self.identities.put_key(key));
                None
            }
            C::RevokeSalt { salt, until_s } => {
                self.identities.revoke_salt(salt, until_s, now);
                None
            }
        })
    }

    fn existing_user(
        &mut self,
        account: &AccountName,
        name: &UserName,
    ) -> Result<&mut Secret<UserRow>, StoreError> {
        self.account(account)?;
        self.identities.user(account, name)
    }

    fn create_account(&mut self, name: AccountName, created: Timestamp) -> Result<u32, StoreError> {
        if self.accounts.contains_key(&name) {
            return Err(StoreError::AlreadyExists(Subject::Account));
        }
        let id = next(&mut self.identities.numbers.account);
        let new = AccountState { id, created, metadata: Vec::new(), containers: Default::default() };
        self.accounts.insert(name, new);
        Ok(id)
    }

    fn delete_account(&mut self, name: &AccountName) -> Result<Option<u32>, StoreError> {
        if !self.account(name)?.containers.is_empty() {
            return Err(StoreError::Conflict(Subject::Account));
        }
        self.accounts.remove(name);
        let all = &mut self.identities;
        let users: Vec<_> =
            all.users.iter().filter(|(user, _)| user.account == *name).map(|u| u.0.id).collect();
        users.into_iter().for_each(|id| all.drop_user(id));
        let groups: Vec<_> = all.groups.iter().filter(|group| group.account == *name).map(|g| g.id).collect();
        groups.into_iter().for_each(|id| all.drop_group(id));
        let on_it = PolicyAttachment::Account(name.clone());
        all.policies.retain(|policy| policy.owner != *name && policy.attachment != on_it);
        Ok(None)
    }

    fn create_user(
        &mut self,
        account: AccountName,
        name: UserName,
        hash: SecretHash,
        application: &ApplicationName,
    ) -> Result<u32, StoreError> {
        self.account(&account)?;
        let application_id = self.identities.application(application)?.0.id;
        if self.identities.user(&account, &name).is_ok() {
            return Err(StoreError::AlreadyExists(Subject::User));
        }
        let id = next(&mut self.identities.numbers.user);
        let standing = Standing::Enabled;
        let user = UserRow { id, account, name, application_id, standing, revoked_before_s: None };
        self.identities.users.push((user, hash));
        Ok(id)
    }

    fn create_application(&mut self, name: ApplicationName, hash: SecretHash) -> Result<u32, StoreError> {
        if self.identities.application(&name).is_ok() {
            return Err(StoreError::AlreadyExists(Subject::Application));
        }
        let id = next(&mut self.identities.numbers.application);
        let row = ApplicationRow { id, name, standing: Standing::Enabled, revoked_before_s: None };
        self.identities.applications.push((row, hash));
        Ok(id)
    }

    fn delete_application(&mut self, name: &ApplicationName) -> Result<Option<u32>, StoreError> {
        let id = self.identities.application(name)?.0.id;
        if self.identities.users.iter().any(|(user, _)| user.application_id == id) {
            return Err(StoreError::Conflict(Subject::Application));
        }
        self.identities.applications.retain(|(row, _)| row.id != id);
        self.identities.policies.retain(|policy| policy.attachment != PolicyAttachment::Application(id));
        Ok(None)
    }

    fn create_group(&mut self, account: AccountName, name: String) -> Result<u32, StoreError> {
        self.account(&account)?;
        if self.identities.group(&account, &name).is_ok() {
            return Err(StoreError::AlreadyExists(Subject::Group));
        }
        let id = next(&mut self.identities.numbers.group);
        self.identities.groups.push(GroupRow { id, account, name, members: Vec::new() });
        Ok(id)
    }

    fn add_member(&mut self, account: &AccountName, group: &str, user: &UserName) -> Result<u32, StoreError> {
        self.account(account)?;
        self.identities.group(account, group)?;
        let user = self.identities.user(account, user)?.0.id;
        let group = self.identities.group(account, group)?;
        if group.members.contains(&user) {
            return Err(StoreError::AlreadyExists(Subject::Member));
        }
        group.members.push(user);
        group.members.sort_unstable();
        Ok(group.id)
    }

    fn remove_member(
        &mut self,
        account: &AccountName,
        group: &str,
        user: &UserName,
    ) -> Result<u32, StoreError> {
        self.account(account)?;
        self.identities.group(account, group)?;
        let user = self.identities.user(account, user)?.0.id;
        let group = self.identities.group(account, group)?;
        if !group.members.contains(&user) {
            return Err(StoreError::NoSuch(Subject::Member));
        }
        group.members.retain(|member| *member != user);
        Ok(group.id)
    }

    fn put_policy(
        &mut self,
        owner: AccountName,
        name: String,
        attachment: PolicyAttachment,
        json: String,
    ) -> Result<u32, StoreError> {
        self.account(&owner)?;
        let all = &self.identities;
        let exists = match &attachment {
            PolicyAttachment::Account(account) => self.accounts.contains_key(account),
            PolicyAttachment::Container(account, container) => {
                self.accounts.get(account).is_some_and(|account| account.containers.contains_key(container))
            }
            PolicyAttachment::User(id) => all.users.iter().any(|(user, _)| user.id == *id),
            PolicyAttachment::Group(id) => all.groups.iter().any(|group| group.id == *id),
            PolicyAttachment::Application(id) => all.applications.iter().any(|(row, _)| row.id == *id),
        };
        if !exists {
            return Err(StoreError::NoSuch(Subject::Attachment));
        }
        let all = &mut self.identities;
        if let Some(there) = all.policies.iter_mut().find(|there| there.owner == owner && there.name == name)
        {
            there.attachment = attachment;
            there.json = json;
            return Ok(there.id);
        }
        let id = next(&mut all.numbers.policy);
        all.policies.push(PolicyRow { id, owner, name, attachment, json });
        Ok(id)
    }

    fn change_access(&mut self, change: AccessChange) -> Result<Option<u32>, StoreError> {
        let AccessChange { account, container, metadata, policies } = change;
        let attachment = match container {
            Some(name) => {
                let container = self.container(&account, &name).ok_or(StoreError::NoContainer)?;
                merge(&mut container.metadata, metadata);
                PolicyAttachment::Container(account.clone(), name)
            }
            None => {
                merge(&mut self.account(&account)?.metadata, metadata);
                PolicyAttachment::Account(account.clone())
            }
        };
        for (name, json) in policies {
            match json {
                Some(json) => drop(self.put_policy(account.clone(), name, attachment.clone(), json)?),
                None => drop(self.delete_policy(&account, &name)),
            }
        }
        Ok(None)
    }

    fn delete_policy(&mut self, owner: &AccountName, name: &str) -> Result<Option<u32>, StoreError> {
        self.account(owner)?;
        let all = &mut self.identities;
        let before = all.policies.len();
        all.policies.retain(|there| there.owner != *owner || there.name != name);
        if all.policies.len() == before { Err(StoreError::NoSuch(Subject::Policy)) } else { Ok(None) }
    }
}
